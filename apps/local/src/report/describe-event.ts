import type { ClusterEvent } from '@tandem/local-cluster';

/** One line or more for a person; undefined for what is not worth one. */
export function describeEvent(event: ClusterEvent): string | undefined {
  switch (event.kind) {
    case 'starting':
      return undefined;
    case 'ready':
      return `  ${event.process}: listening after ${event.durationMs} ms`;
    case 'ended':
      return event.message;
    case 'restarting':
      return `  ${event.process}: started again in ${event.delayMs} ms`;
    case 'given-up':
      return `  ${event.process}: ended ${event.tries + 1} times in a row and is left down; stop everything, see its log, start again.`;
    case 'killed':
      return `  ${event.process}: did not stop in time and was killed.`;
    default:
      return unknown(event);
  }
}

function unknown(event: never): string {
  return JSON.stringify(event);
}
