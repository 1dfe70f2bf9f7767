export * from './virtual-clock.ts';
export * from './drive-virtual-time.ts';
export * from './seeded-randomness.ts';
