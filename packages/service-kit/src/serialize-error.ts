/** Errors are chained a few deep; the rest tells nothing new. */
const CAUSES_MAX = 4;

export interface SerializedError {
  readonly name: string;
  readonly message: string;
  readonly code?: unknown;
  readonly retryable?: unknown;
  readonly details?: unknown;
  readonly stack?: string;
  readonly cause?: SerializedError;
}

/** What errors of ours, of Node and of libraries may have besides. */
interface WithFields {
  readonly code?: unknown;
  readonly retryable?: unknown;
  readonly details?: unknown;
}

/**
 * Only what an operator reads. Errors of the Azure libraries carry whole requests and responses,
 * with headers and bodies, which must not reach a log.
 */
export function serializeError(error: unknown, causesLeft: number = CAUSES_MAX): SerializedError {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error) };
  const { code, retryable, details }: Error & WithFields = error;
  return {
    name: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    ...(retryable === undefined ? {} : { retryable }),
    ...(isPlainObject(details) ? { details } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined || causesLeft <= 0
      ? {}
      : { cause: serializeError(error.cause, causesLeft - 1) }),
  };
}

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}
