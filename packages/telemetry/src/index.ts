export * from './http-telemetry.ts';
export * from './start-telemetry.ts';
export * from './telemetry.ts';
export * from './trace/trace-ports.ts';
