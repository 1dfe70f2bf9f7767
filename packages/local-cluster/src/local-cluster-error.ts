export type LocalClusterErrorCode =
  | 'PORTS_TAKEN'
  | 'DATA_IN_USE'
  | 'DATA_FOREIGN'
  | 'DATA_UNUSABLE'
  | 'PROCESS_FAILED'
  | 'NOT_READY'
  | 'OPTIONS_INVALID'
  | 'STOPPED';

/** Says why a cluster or a part of it could not be had; the message is for the person who asked. */
export class LocalClusterError extends Error {
  readonly code: LocalClusterErrorCode;

  constructor(code: LocalClusterErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'LocalClusterError';
    this.code = code;
  }
}
