/**
 * Ways to break the system on purpose, so that the checker has something to find.
 * `swallow`: some changes and deletions sent to east, to its API and its Table endpoint, are answered as done and never reach it.
 * `purge`: what is in the queue of west is thrown away now and then, while its replicator sleeps.
 */
export const BREAKAGES = ['swallow', 'purge'] as const;
export type Breakage = (typeof BREAKAGES)[number];
