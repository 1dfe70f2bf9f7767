export * from './environment.ts';
export * from './logger.ts';
export * from './run-service.ts';
export * from './shutdown.ts';
export * from './supervise.ts';
export * from './system-clock.ts';
