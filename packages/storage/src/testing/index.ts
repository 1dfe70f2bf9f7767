export * from './device-kind.ts';
export * from './faulty-bus.ts';
export * from './faulty-store.ts';
export * from './memory-region.ts';
export * from './recovery-regions.ts';
export * from './start-azurite.ts';
export * from './two-regions.ts';
