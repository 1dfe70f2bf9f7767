/** Limits the server; each is passed on explicitly. */
export const BODY_BYTES_MAX = 64 * 1_024;

/** 100 customers of the longest fields in plain text. */
export const BATCH_BODY_BYTES_MAX = 512 * 1_024;
export const BATCH_OPERATIONS_MAX = 100;

export const IMPORT_LINE_BYTES_MAX = 16 * 1_024;
/** Are written at once: some thirty to a bucket, which share a transaction. */
export const IMPORT_LINES_AT_ONCE = 400;
export const IMPORT_LINES_MAX = 1_000_000;
/** The report is kept until the client reads it, so it has an end. */
export const IMPORT_FAILURES_MAX = 1_000;
export const IMPORTS_AT_ONCE_MAX = 4;
export const IMPORTS_PER_CALLER_MAX = 2;

export const EXPORT_PAGE_ROWS = 500;
export const EXPORTS_AT_ONCE_MAX = 8;
export const EXPORTS_PER_CALLER_MAX = 4;

/** Says how fast clients have to be that an export or an import waits for; slower ones lose their connection. */
export const STREAM_PACE = { bytesPerSecondMin: 16 * 1_024, patienceMs: 30_000 } as const;

/** An id has 36 characters, the longest problem code 22. */
export const PARAM_LENGTH_MAX = 64;

/** A whole request must have arrived within this time. */
export const REQUEST_TIMEOUT_MS = 30_000;

/** The same for what may take long, because its body is a stream. */
export const LONG_REQUEST_TIMEOUT_MS = 15 * 60_000;

/** Bounds all headers of a request. */
export const HEADERS_TIMEOUT_MS = 30_000;

/** How late the server may notice that a request is over its time. */
export const CONNECTIONS_CHECK_MS = 5_000;

/** A socket on which nothing moves at all, not even an answer, is closed. */
export const CONNECTION_TIMEOUT_MS = 120_000;

/** Longer than the 60 s of common load balancers, so that they are the ones who close. */
export const KEEP_ALIVE_TIMEOUT_MS = 65_000;

export const PAGE_LIMIT_DEFAULT = 100;
export const CURSOR_LENGTH_MAX = 2_048;

export const HISTORY_LIMIT_DEFAULT = 50;
export const HISTORY_LIMIT_MAX = 200;

/** The mean over a second, in milliseconds, beyond which requests are refused. */
export const EVENT_LOOP_DELAY_MS_MAX = 1_000;
