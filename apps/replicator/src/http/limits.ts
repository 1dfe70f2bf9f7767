/** Probes and operators ask small questions, and this process has better things to do. */
export const REQUEST_TIMEOUT_MS = 10_000;
export const CONNECTION_TIMEOUT_MS = 30_000;
export const KEEP_ALIVE_TIMEOUT_MS = 72_000;
export const BODY_BYTES_MAX = 1_024;
