export * from './clock-contract.ts';
export * from './randomness-contract.ts';
export * from './change-bus-contract.ts';
