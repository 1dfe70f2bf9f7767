export * from './open-region.ts';
export * from './peer-links.ts';
export * from './quiet-logger.ts';
export * from './region-settings.ts';
export * from './region-tables.ts';
