/** The figures of one number of customers, in a process of its own: its memory is then what they take. */
import { customerFor, customerId, customerOf } from '../load/customers.ts';
import { runPaced } from '../load/paced-load.ts';
import { runCount, runWriters } from '../load/run-writers.ts';
import { percentile, round } from '../stats/spread.ts';
import { type CountedRegions, openCountedRegions } from './counted-regions.ts';
import type { PatternFigures, SizeFigures, SizeOptions } from './size-figures.ts';

const WRITERS = 256;
const PACED_PER_SECOND = 200;
const PAGES = 50;
const PAGE_ROWS = 100;
const MIB = 1024 * 1024;

async function measureSize(options: SizeOptions): Promise<SizeFigures> {
  const { customers, workingSet, durationMs } = options;
  const regions = await openCountedRegions({
    ...options,
    memoryBytesMax: options.memoryMib * MIB,
  });
  tell('the rows are there');
  const writer = createWriter(regions);
  // Compiled, on customers that are counted in nothing.
  await runWriters(WRITERS, durationMs, (nth) => writer.write(customers + (nth % 1_000)));
  await regions.untilReplicated();
  const unmet = await measurePattern(regions, () =>
    runCount(WRITERS, Math.min(customers, UNMET_MAX), (nth) =>
      writer.write(customerOf(nth, customers)),
    ),
  );
  tell('met for the first time');
  await regions.rememberAll();
  tell('all are remembered');
  const part = { parts: PARTS, durationMs: durationMs / PARTS };
  // Not those again that were met just now.
  const even = await measurePattern(
    regions,
    (begun) =>
      runWriters(WRITERS, part.durationMs, (nth) =>
        writer.write(customerOf(UNMET_MAX + begun + nth, customers)),
      ),
    part.parts,
  );
  tell('written evenly');
  const step = customers / workingSet;
  const inWorkingSet = (nth: number): number => Math.floor(customerOf(nth, workingSet) * step);
  await runCount(WRITERS, workingSet, (nth) => writer.write(inWorkingSet(nth)));
  await regions.untilReplicated();
  const ofWorkingSet = await measurePattern(
    regions,
    (begun) =>
      runWriters(WRITERS, part.durationMs, (nth) => writer.write(inWorkingSet(begun + nth))),
    part.parts,
  );
  const pages = await runCount(1, PAGES, () => regions.east.table.list(PAGE_ROWS));
  const lag = await measureLag(regions, writer, options);
  // Of garbage there is as much as the limit of the heap allows.
  globalThis.gc?.();
  return {
    customers,
    unmet,
    even,
    workingSet: ofWorkingSet,
    pageMsP50: round(percentile(pages.latenciesMs, 0.5)),
    ...lag,
    memoryMib: round(process.memoryUsage.rss() / MIB),
    heapMib: round(process.memoryUsage().heapUsed / MIB),
    rowMemoryMib: round(
      (regions.east.memories.table.bytesTaken + regions.west.memories.replica.bytesTaken) / MIB,
    ),
  };
}

/** What is timed is so in parts, whose spread tells how certain the whole is. */
const PARTS = 5;

/** Fewer than the customers of any size that is asked for by default, so that none is met twice. */
const UNMET_MAX = 10_000;

/** This takes minutes: whoever watches is told how far it is. */
function tell(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`${Math.round(process.uptime())} s: ${what}\n`);
}

type Writer = ReturnType<typeof createWriter>;

function createWriter({ east }: CountedRegions) {
  let revision = 0;
  return {
    write: (customer: number) =>
      east.table.put(customerId(customer), customerFor(customer, (revision += 1))),
  };
}

/** `write` is told how many writes there were in the parts before. */
async function measurePattern(
  regions: CountedRegions,
  write: (begun: number) => Promise<{ readonly writes: number; readonly elapsedMs: number }>,
  parts = 1,
): Promise<PatternFigures> {
  const { east, west } = regions;
  const stores = [east.remote, west.remote];
  const before = stores.map(({ counts, program }) => ({ ...counts, cpuMs: program.cpuMs() }));
  // The garbage of what was done before is not these writes'.
  globalThis.gc?.();
  let [writes, elapsedMs, changeSets, cpuMs] = [0, 0, 0, 0];
  const cpuMsPerWriteOfParts: number[] = [];
  for (let nth = 0; nth < parts; nth += 1) {
    const cpuBefore = process.cpuUsage();
    const part = await write(writes);
    changeSets += east.committed.length;
    await regions.untilReplicated();
    const cpu = process.cpuUsage(cpuBefore);
    const partCpuMs = (cpu.user + cpu.system) / 1_000;
    cpuMsPerWriteOfParts.push(round(partCpuMs / part.writes));
    writes += part.writes;
    elapsedMs += part.elapsedMs;
    cpuMs += partCpuMs;
  }
  const perWrite = (count: number): number => round(count / writes);
  const [here, there] = stores.map(({ counts, program }, index) => {
    const first = before[index]!;
    return {
      commits: perWrite(counts.commits - first.commits),
      rows: perWrite(counts.rows - first.rows),
      pointReads: perWrite(counts.pointReads - first.pointReads),
      rangeReads: perWrite(counts.rangeReads - first.rangeReads),
      storeCpuMs: perWrite(program.cpuMs() - first.cpuMs),
    };
  });
  return {
    writes,
    writesPerSecond: Math.round((writes * 1_000) / elapsedMs),
    cpuMsPerWrite: perWrite(cpuMs),
    cpuMsPerWriteOfParts,
    writesPerChangeSet: round(writes / changeSets),
    here: here!,
    there: there!,
  };
}

async function measureLag(
  { west }: CountedRegions,
  { write: put }: Writer,
  { customers, durationMs, bucketCount }: SizeOptions,
): Promise<{ readonly lagMsP50: number; readonly lagMsP99: number }> {
  const paced = { kind: 'paced', writers: 1, customers } as const;
  const { lagsMs } = await runPaced(
    { ...paced, durationMs: 2 * durationMs, writesPerSecond: PACED_PER_SECOND },
    { put, peerStore: west.store, bucketCount },
  );
  return { lagMsP50: round(percentile(lagsMs, 0.5)), lagMsP99: round(percentile(lagsMs, 0.99)) };
}

// What is still under way ends with this process, and so do the stores.
try {
  const figures = await measureSize(JSON.parse(process.argv[2] ?? '{}') as SizeOptions);
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
