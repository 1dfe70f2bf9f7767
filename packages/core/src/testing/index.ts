import '../require-node.ts';

export * from './change-bus-contract.ts';
export * from './clock-contract.ts';
export { createForger, type Forger, type ForgerOptions } from './forge-message.ts';
export * from './randomness-contract.ts';
export * from './table-store/table-store-contract.ts';
export type { TableStoreHarness } from './table-store/table-store-harness.ts';
