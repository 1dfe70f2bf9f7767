/** The names are part of `/status` and of the log. */
export type DutyName =
  | 'sweep'
  | 'receive'
  | 'heartbeat'
  | 'dead-letters'
  | 'fragments'
  | 'status-log'
  | 'tombstones'
  | 'retention'
  | 'copy'
  | 'mirror'
  | 'configuration';

/** Something that the replicator does again and again. */
export interface Duty {
  readonly name: DutyName;
  /** One turn. Throws operating errors, which are logged and followed by another turn. */
  readonly turn: (signal: AbortSignal) => Promise<void>;
  /** From the end of a turn to the next, in milliseconds before jitter; 0 for one that waits itself. */
  readonly intervalMs: () => number;
  /** Before the first turn. */
  readonly firstDelayMs: number;
  /** The process is ready once this one has succeeded. */
  readonly isNeededForReady: boolean;
  /**
   * A turn that neither ends nor gives a sign of life for longer than this, in milliseconds, hangs,
   * and only a restart can help. Undefined for one that may rightly take as long as it likes.
   */
  readonly stallMs: number | undefined;
}
