export interface SizeOptions {
  /** In the table. */
  readonly customers: number;
  /** How many of them are written to, where not all are. */
  readonly workingSet: number;
  readonly bucketCount: number;
  readonly durationMs: number;
  /** The bound of what the writer, and of what the replicator, remembers of rows. */
  readonly memoryMib: number;
}

/** Requests to the tables of one region, and what answering them took, of one write. */
interface RegionFigures {
  readonly commits: number;
  /** In those commits. */
  readonly rows: number;
  readonly pointReads: number;
  readonly rangeReads: number;
  /** Of the store's own process: not ours, and not Azure's. */
  readonly storeCpuMs: number;
}

export interface PatternFigures {
  readonly writes: number;
  readonly writesPerSecond: number;
  /** Processor time of both regions' shipping code, without the stores. */
  readonly cpuMsPerWrite: number;
  readonly cpuMsPerWriteOfParts: readonly number[];
  readonly writesPerChangeSet: number;
  readonly here: RegionFigures;
  readonly there: RegionFigures;
}

export interface SizeFigures {
  readonly customers: number;
  /** Each customer is written to for the first time since the start. */
  readonly unmet: PatternFigures;
  /** All customers in turn; each had been met before. */
  readonly even: PatternFigures;
  /** A constant number of them in turn. */
  readonly workingSet: PatternFigures;
  /** Of the first 100 customers, the median. */
  readonly pageMsP50: number;
  readonly lagMsP50: number;
  readonly lagMsP99: number;
  /** Resident, of the process that is both regions. */
  readonly memoryMib: number;
  /** What is in use of its heap, after a collection. */
  readonly heapMib: number;
  /** Outside the heap: what is remembered of rows, here and there. */
  readonly rowMemoryMib: number;
}
