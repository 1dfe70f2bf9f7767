export * from './region-tables.ts';
export * from './peer-links.ts';
export * from './quiet-logger.ts';
