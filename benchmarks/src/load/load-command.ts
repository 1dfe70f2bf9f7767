/** What the benchmark asks of the process that makes the load, and what it answers. */
export interface LoadCommand {
  readonly kind:
    | 'bare'
    | 'bare-batches'
    | 'replicated'
    /** New customers, not waiting for the other region. */
    | 'backlog'
    /** Waits until the other region has everything. */
    | 'until-replicated'
    /** At `writesPerSecond`, with samples of the lag. */
    | 'paced'
    | 'first-form'
    /** First pages of 100 customers, one after the other. */
    | 'pages'
    /** Through the REST API. */
    | 'http'
    /** One write at a time: bare, replicated and through the REST API in turn. */
    | 'in-turns'
    | 'replay'
    /** By the entry that services use: a typed table, an open one, transactions of 100 rows of an open one. */
    | 'entry-typed'
    | 'entry-open'
    | 'entry-transactions'
    /** By the client of Table Storage at `connection`, until `peerConnection` gives what was written. */
    | 'client-upserts'
    /** Transactions of so many `rows`. */
    | 'client-transactions'
    | 'client-gets'
    /** Pages of 1,000 rows. */
    | 'client-pages'
    /** One upsert at a time, at `connection` and at `peerConnection` in turn. */
    | 'clients-in-turns';
  readonly writers: number;
  readonly durationMs: number;
  /** How many customers the writes go to, in turn; of a backlog, how many writes. */
  readonly customers: number;
  readonly writesPerSecond?: number;
  /** Of the REST API, for `http` and `in-turns`. */
  readonly apiUrl?: string;
  readonly connection?: string;
  readonly peerConnection?: string;
  readonly rows?: number;
}

/** Of each round the median latency of each kind, in milliseconds. */
export type InTurns<Kind extends string> = readonly Readonly<Record<Kind, number>>[];

export interface LoadReport {
  readonly writes: number;
  /** Until the last write was acknowledged. */
  readonly elapsedMs: number;
  /** Until all of it was applied and archived in the other region too; the same for a bare load. */
  readonly replicatedMs: number;
  readonly latencyMsP50: number;
  readonly latencyMsP99: number;
  /** Change sets, that is transactions of data rows. */
  readonly changeSets: number;
  /** From acknowledged here to readable there, ascending. */
  readonly lagsMs?: readonly number[];
  /** Writes that failed, where that does not end the load. */
  readonly failures: number;
  readonly inTurns?: InTurns<'bare' | 'replicated' | 'http'>;
  readonly clientsInTurns?: InTurns<'subject' | 'baseline'>;
}

export interface LoadSettings {
  readonly tables: string;
  readonly peerTables: string;
  readonly peerBroker: string;
  readonly queue: string;
  readonly bucketCount: number;
}
