export * from './clock-contract.ts';
export * from './randomness-contract.ts';
