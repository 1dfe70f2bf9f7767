export * from './open-store.ts';
export * from './region-problems.ts';
export * from './open-region.ts';
export * from './retry-opening.ts';
export * from './region-settings.ts';
export * from './region-tables.ts';
export * from './peer-links.ts';
export * from './quiet-logger.ts';
