/**
 * Writes to one table of its own through regions opened in this process, and looks when what it wrote can be read in the
 * others. First one write at a time in each region in turn, each once the one before is everywhere; then several writers at
 * once in the first. Whatever replicators, queues and accounts do for it is that of the regions themselves.
 */
import { AppError, type Clock, type OpenKey } from '@tandem/core';
import type { Region, RegionKinds } from '@tandem/region';
import type { Budget } from './bill.ts';

export interface MeasuredRegion {
  readonly name: string;
  readonly region: Pick<Region<RegionKinds>, 'openTable' | 'catalogue'>;
}

export interface MeasureOptions {
  /** The first is the one that several writers write to. */
  readonly regions: readonly MeasuredRegion[];
  readonly table: string;
  readonly budget: Budget;
  /** For how long it writes, altogether. */
  readonly forMs: number;
  readonly clock: Clock;
  /** Ends it; what was measured by then is told. */
  readonly signal: AbortSignal;
  readonly onPhase: (what: string, writes: number) => void;
}

/** In milliseconds; null where there is nothing to tell of. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p99: number | null;
}

/** One write at a time. */
interface Alone {
  readonly region: string;
  readonly writes: number;
  readonly failures: number;
  readonly ackMs: Percentiles;
  /** Is what a point read there took: how far away the region is from here. */
  readonly readMs: Percentiles;
}

/** From the acknowledgement until it can be read there. */
export interface Direction {
  readonly from: string;
  readonly to: string;
  readonly samples: number;
  readonly lagMs: Percentiles;
  /** Were not there in time. */
  readonly late: number;
}

interface Throughput {
  readonly region: string;
  readonly writers: number;
  readonly writes: number;
  readonly failures: number;
  readonly writesPerSecond: number;
  readonly ackMs: Percentiles;
  /** From the last acknowledgement until the last write of each writer could be read everywhere; null where it never was. */
  readonly caughtUpMs: number | null;
}

export interface Measured {
  readonly alone: readonly Alone[];
  readonly directions: readonly Direction[];
  readonly throughput: readonly Throughput[];
  /** Whether a part of it ended before its time, having used its operations. */
  readonly isCutShort: boolean;
}

export const WRITER_COUNTS = [1, 16, 64] as const;
/** What is not readable within this counts as late. */
export const ARRIVAL_MS_MAX = 30_000;
/** Not counted: links are opened, and rows met for the first time. */
export const WARM_UP_WRITES = 5;
const SHARE_ALONE = 0.4;
/** Each writer comes back to its rows. */
const ROWS_PER_WRITER = 16;
const PAUSE_AFTER_FAILURE_MS = 200;
/** A look follows the one before after a tenth of what has passed: seldom enough for the bill, and as near as a tenth. */
const LOOK_MS_MIN = 2;
const LOOK_SHARE = 0.1;

/** Throws what is no matter of trying again. */
export async function measureRegions(options: MeasureOptions): Promise<Measured> {
  const { regions, forMs, budget } = options;
  const run = startRun(options);
  const alone: Alone[] = [];
  const directions: Direction[] = [];
  const throughput: Throughput[] = [];
  let partsLeft = regions.length + WRITER_COUNTS.length;
  const begin = (what: string): void => {
    budget.allot(partsLeft);
    partsLeft -= 1;
    run.beginPart(what);
  };
  for (const writer of regions) {
    begin(`one write at a time in ${writer.name}`);
    const found = await measureAlone(writer, (forMs * SHARE_ALONE) / regions.length, run);
    alone.push(found.alone);
    directions.push(...found.directions);
  }
  const [first] = regions;
  for (const writers of first === undefined ? [] : WRITER_COUNTS) {
    begin(`${writers} writers in ${first!.name}`);
    const forPartMs = (forMs * (1 - SHARE_ALONE)) / WRITER_COUNTS.length;
    throughput.push(await measureThroughput(first!, { writers, forPartMs }, run));
  }
  // What the reads took is known once all of them were done.
  const read = alone.map((one) => ({ ...one, readMs: run.readMs(one.region) }));
  return { alone: read, directions, throughput, isCutShort: run.isCutShort() };
}

/** Is a write that was acknowledged. */
interface Written {
  readonly key: OpenKey;
  readonly nth: number;
  readonly ackMs: number;
  readonly ackedMs: number;
}

interface Run {
  readonly clock: Clock;
  readonly regions: readonly MeasuredRegion[];
  beginPart(what: string): void;
  /** Returns whether one more write may be begun, and then counts it. */
  mayWrite(endsMs: number): boolean;
  /** Resolves without where it failed, after a pause. */
  write(to: MeasuredRegion, key: OpenKey): Promise<Written | undefined>;
  /** Resolves to how long after its acknowledgement it can be read there; undefined where it is late, or this is ended. */
  watch(at: MeasuredRegion, written: Written): Promise<number | undefined>;
  readMs(region: string): Percentiles;
  isCutShort(): boolean;
}

function startRun(options: MeasureOptions): Run {
  const { regions, table, budget, clock, signal, onPhase } = options;
  const readsMs = new Map<string, number[]>(regions.map(({ name }) => [name, []]));
  let part = '';
  let nth = 0;
  let isCutShort = false;
  /** Reads which write the row shows; undefined where it shows none, or nobody can tell now. */
  const look = async (at: MeasuredRegion, key: OpenKey): Promise<number | undefined> => {
    const startedMs = clock.nowMs();
    try {
      const row = await at.region.openTable(table).get(key);
      readsMs.get(at.name)?.push(clock.nowMs() - startedMs);
      return Number(row?.values.get('nth')?.value);
    } catch (error) {
      if (error instanceof AppError && error.retryable) return undefined;
      throw error;
    }
  };
  return {
    clock,
    regions,
    beginPart: (what) => void (part = what),
    mayWrite(endsMs) {
      if (signal.aborted || clock.nowMs() >= endsMs) return false;
      const isWithin = budget.begin();
      isCutShort ||= !isWithin;
      return isWithin;
    },
    async write(to, key) {
      nth += 1;
      const own = nth;
      const startedMs = clock.nowMs();
      try {
        await to.region.openTable(table).put(key, valuesOf(own));
        const ackedMs = clock.nowMs();
        onPhase(part, own);
        return { key, nth: own, ackMs: ackedMs - startedMs, ackedMs };
      } catch (error) {
        if (!(error instanceof AppError) || !error.retryable) throw error;
        await clock.sleep(PAUSE_AFTER_FAILURE_MS, signal);
        return undefined;
      } finally {
        budget.end();
      }
    },
    async watch(at, { key, nth: wanted, ackedMs }) {
      for (;;) {
        const shown = await look(at, key);
        const passedMs = clock.nowMs() - ackedMs;
        // A later write of the same row has this one in it.
        if (shown !== undefined && shown >= wanted) return passedMs;
        if (passedMs >= ARRIVAL_MS_MAX || signal.aborted) return undefined;
        await clock.sleep(Math.max(LOOK_MS_MIN, passedMs * LOOK_SHARE), signal);
      }
    },
    readMs: (region) => percentilesOf(readsMs.get(region) ?? []),
    isCutShort: () => isCutShort,
  };
}

/** Some 150 bytes, as a customer has. */
function valuesOf(nth: number) {
  return new Map([
    ['nth', { type: 'Int32', value: nth }],
    ['lastName', { type: 'String', value: `Measured ${nth}` }],
    ['email', { type: 'String', value: `measured-${nth}@example.invalid` }],
    ['address', { type: 'String', value: 'x'.repeat(80) }],
  ] as const);
}

async function measureAlone(
  writer: MeasuredRegion,
  forMs: number,
  run: Run,
): Promise<{ readonly alone: Alone; readonly directions: readonly Direction[] }> {
  const peers = run.regions.filter(({ name }) => name !== writer.name);
  const lagsMs = new Map<string, number[]>(peers.map(({ name }) => [name, []]));
  const late = new Map<string, number>(peers.map(({ name }) => [name, 0]));
  const acksMs: number[] = [];
  let failures = 0;
  const endsMs = run.clock.nowMs() + forMs;
  for (let turn = 0; run.mayWrite(endsMs); turn += 1) {
    const rowKey = String(turn % ROWS_PER_WRITER);
    const written = await run.write(writer, { partitionKey: `${writer.name}-alone`, rowKey });
    if (written === undefined) {
      failures += 1;
      continue;
    }
    const arrivals = await Promise.all(
      peers.map(async (peer) => ({ name: peer.name, lagMs: await run.watch(peer, written) })),
    );
    const isWarm = turn >= WARM_UP_WRITES;
    if (isWarm) acksMs.push(written.ackMs);
    for (const { name, lagMs } of arrivals) {
      // What never came was not slow because it was among the first.
      if (lagMs === undefined) late.set(name, (late.get(name) ?? 0) + 1);
      else if (isWarm) lagsMs.get(name)?.push(lagMs);
    }
  }
  return {
    alone: {
      region: writer.name,
      writes: acksMs.length,
      failures,
      ackMs: percentilesOf(acksMs),
      readMs: percentilesOf([]),
    },
    directions: peers.map(({ name }) => ({
      from: writer.name,
      to: name,
      samples: lagsMs.get(name)?.length ?? 0,
      lagMs: percentilesOf(lagsMs.get(name) ?? []),
      late: late.get(name) ?? 0,
    })),
  };
}

async function measureThroughput(
  to: MeasuredRegion,
  { writers, forPartMs }: { readonly writers: number; readonly forPartMs: number },
  run: Run,
): Promise<Throughput> {
  const { clock } = run;
  const acksMs: number[] = [];
  const last = new Map<number, Written>();
  let failures = 0;
  const startedMs = clock.nowMs();
  const endsMs = startedMs + forPartMs;
  const write = async (writer: number): Promise<void> => {
    for (let turn = 0; run.mayWrite(endsMs); turn += 1) {
      const rowKey = String(turn % ROWS_PER_WRITER);
      const partitionKey = `${to.name}-${writers}-${writer}`;
      const written = await run.write(to, { partitionKey, rowKey });
      if (written === undefined) {
        failures += 1;
        continue;
      }
      acksMs.push(written.ackMs);
      last.set(writer, written);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  const endedMs = clock.nowMs();
  return {
    region: to.name,
    writers,
    writes: acksMs.length,
    failures,
    writesPerSecond: (acksMs.length * 1_000) / Math.max(1, endedMs - startedMs),
    ackMs: percentilesOf(acksMs),
    caughtUpMs: (await areThere(to, [...last.values()], run)) ? clock.nowMs() - endedMs : null,
  };
}

/** Resolves to whether all are readable everywhere in time; the first that is late ends it. */
async function areThere(
  from: MeasuredRegion,
  written: readonly Written[],
  run: Run,
): Promise<boolean> {
  for (const peer of run.regions) {
    if (peer.name === from.name) continue;
    for (const one of written) {
      if ((await run.watch(peer, one)) === undefined) return false;
    }
  }
  return written.length > 0;
}

/** By the nearest rank. */
function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number | null => sorted[Math.ceil(sorted.length * share) - 1] ?? null;
  return { p50: at(0.5), p99: at(0.99) };
}
