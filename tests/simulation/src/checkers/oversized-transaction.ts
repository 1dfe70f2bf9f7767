import type { FinalChecker } from './checker.ts';

/** What Table Storage takes in one entity group transaction. */
const OPERATIONS_MAX = 100;

/** Nobody asks for a transaction that the store can never take, however much waits. */
export const oversizedTransaction: FinalChecker = {
  name: 'oversized-transaction',
  check: ({ world }) =>
    world.regions.flatMap(({ name, account: { operationsMax } }) =>
      operationsMax > OPERATIONS_MAX
        ? [`${name} was asked for a transaction of ${operationsMax} operations`]
        : [],
    ),
};
