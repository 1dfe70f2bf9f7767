export * from './environment.ts';
export * from './install-signals.ts';
export * from './last-resort.ts';
export * from './logger.ts';
export * from './shutdown.ts';
export * from './supervise.ts';
export * from './system-clock.ts';
export * from './writer-id.ts';
