import '../require-node.ts';

export * from './memory-bus.ts';
export type { DeadLetter } from './memory-queue.ts';
export { createMemoryTableStore, createSortedMap } from './memory-table-store.ts';
export * from './seeded-randomness.ts';
export * from './virtual-clock.ts';
