import type { FinalChecker } from './checker.ts';

const WAITING_MS_MAX = 10_000;

/** I13: when faults have stopped, every outbox and every queue drains, within a bounded time. */
export const undrained: FinalChecker = {
  name: 'undrained',
  check: ({ hasConverged, regions }) => [
    ...(hasConverged ? [] : ['the regions did not settle in time']),
    ...regions.flatMap(({ name, outboxKeys, leftInArchive, oldestMessageMs }) => [
      ...leftInArchive.map((key) => `${key} is left of no set in the archive of ${name}`),
      ...outboxKeys.map((key) => `${key} is still in the outbox of ${name}`),
      ...(oldestMessageMs > WAITING_MS_MAX
        ? [`a message has waited ${oldestMessageMs} ms in the queue of ${name}`]
        : []),
    ]),
  ],
};
