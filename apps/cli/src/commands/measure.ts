import {
  AppError,
  catalogKind,
  formatGeneration,
  openTableId,
  rowsKind,
  scanOutbox,
  TransientError,
} from '@tandem/core';
import { createRegion, createServiceBus, type Region, type RegionKinds } from '@tandem/region';
import { createLogger } from '@tandem/service-kit';
import type { Cli, Outcome } from '../act.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import {
  type Bill,
  type Billed,
  type Budget,
  billPublisher,
  billStore,
  createBudget,
  newBill,
  operationsNeeded,
} from '../measure/bill.ts';
import {
  ARRIVAL_MS_MAX,
  type Direction,
  type Measured,
  type MeasuredRegion,
  measureRegions,
  type Percentiles,
  WARM_UP_WRITES,
  WRITER_COUNTS,
} from '../measure/measure-regions.ts';
import { duration, durationText, wholeNumber } from '../option-values.ts';
import { findPeers } from '../regions/open-writer.ts';
import { type CliRegion, readDurationMs, requireQueue } from '../regions/region.ts';
import { textTable } from '../report/text-table.ts';
import type { Session } from '../session.ts';

interface MeasureCommand {
  readonly for: number;
  readonly operationsMax: number;
  readonly apply: boolean;
}

const FOR_MS_DEFAULT = 60_000;
const FOR_MS_MIN = 5_000;
const FOR_MS_MAX = 3_600_000;
const OPERATIONS_DEFAULT = 200_000;
const OPERATIONS_MIN = 2_000;
const OPERATIONS_MAX = 100_000_000;
/** An account that answered a moment ago, and a catalogue that reaches the others within seconds. */
const OPEN_MS_MAX = 60_000;
const TABLE_LOOK_MS = 250;

const HELP = `
Says what it would do; does it with --apply. Regions are opened in this process by what the inventory and their Configuration
say, as a service of theirs would, and write to a table of clients that is made for it and deleted at the end. One region after
the other is written to by one writer, each write once the one before can be read everywhere; then the first of the inventory
by ${WRITER_COUNTS.join(', ')} writers at once. A write is begun only where all that it may be billed for is still within
--operations-max. Acknowledgements contain the way from here to the account: run it where the services run.
What could not be measured, since a queue or an account did not answer, is said; looking for what does not arrive takes 40 s
at most in each region and with each number of writers. A fail-over is not measured, since nothing is taken down: tandem drill
does that.
`;

export function addMeasure({ program, act }: Cli): void {
  const command = program
    .command('measure')
    .description(
      'What do these regions do: acknowledgement, lag, throughput and what is billed, measured for a set time and cost in a ' +
        'table of its own.',
    )
    .option(
      '--for <duration>',
      'for how long it writes, 5s to 1h; looking whether all arrived comes on top',
      duration(FOR_MS_MIN, FOR_MS_MAX),
      FOR_MS_DEFAULT,
    )
    .option(
      '--operations-max <n>',
      'table requests and Service Bus operations, counted and estimated, that it stays within',
      wholeNumber(OPERATIONS_MIN, OPERATIONS_MAX),
      OPERATIONS_DEFAULT,
    )
    .option('--apply', 'does it', false)
    .addHelpText('after', HELP);
  act<MeasureCommand>(command, measure);
}

async function measure(session: Session, options: MeasureCommand): Promise<Outcome> {
  const { operationsMax } = options;
  const names = (await session.inventory()).regions.map(({ name }) => name);
  const needed = operationsNeeded(names.length);
  if (operationsMax < needed) {
    throw new UsageError(
      `${operationsMax} operations are too few for ${names.length} regions: --operations-max must be at least ${needed}.`,
    );
  }
  const table = `Measure${session.io.randomness.uuid().replaceAll('-', '').slice(0, 8)}`;
  const bill = newBill();
  const logger = createLogger({ service: 'cli', region: 'measure', level: 'fatal' });
  const making = {
    bill,
    logger,
    bus: session.io.bus ?? createServiceBus({ logger, administrationConnection: undefined }),
  };
  const opened: OpenedRegion[] = [];
  // A region that cannot be measured is named before anything is written.
  for (const name of names) opened.push(await makeRegion(session, name, making));
  const plan =
    `${names.join(', ')}: writes for ${durationText(options.for)} to a table of clients of its own, ${table}, in every region ` +
    `and deletes it at the end. At most ${operationsMax} table requests and Service Bus operations are billed for it.`;
  if (!options.apply) {
    return {
      text: `${plan} Run it with --apply.`,
      json: { applied: false, regions: names, table, forMs: options.for, operationsMax },
    };
  }
  session.tell(plan);
  const budget = createBudget({
    bill,
    regionCount: names.length,
    operationsMax,
    otherRequests: () => sumOf(session.requests()),
  });
  const done = await measureOpened(session, opened, { table, budget, forMs: options.for });
  const owed = await countOwed(opened, done.tableId);
  return describe(session, opened, { ...done, owed, table, bill, budget, options });
}

interface OpenedRegion extends MeasuredRegion {
  readonly region: Region<RegionKinds>;
  /** The same as operators see it: its outbox is read once its services here are stopped. */
  readonly own: CliRegion;
  readonly deletedKeepMs: number;
}

/** What all regions of a run share. */
interface Making {
  readonly bill: Bill;
  readonly logger: ReturnType<typeof createLogger>;
  readonly bus: NonNullable<Session['io']['bus']>;
}

/** Makes a region as a service would have it, but by what the inventory says of queues. Throws what the looks at it throw. */
async function makeRegion(
  session: Session,
  name: string,
  { bill, logger, bus }: Making,
): Promise<OpenedRegion> {
  const { io } = session;
  await session.of(catalogKind).openOne(name);
  const own = await session.of(rowsKind).openOne(name);
  const place = await requireQueue(own);
  const peers = await Promise.all(
    (await findPeers(own, io.clock)).map(async (peer) => {
      const { connection, queue } = await requireQueue(await session.of(rowsKind).openOne(peer));
      return { region: peer, connection, queue };
    }),
  );
  const region = createRegion<RegionKinds>({
    region: name,
    store: billStore(io.openStore(own.entry.storage), bill),
    tables: {},
    bus: { ...bus, createPublisher: (peer) => billPublisher(bus.createPublisher(peer), bill) },
    settings: {
      'Customer.DataAccess': peers.length === 0 ? 'single-region' : 'multi-region',
      ServiceBusConnection: place.connection,
      'Customer.Queue': place.queue,
      'Rows.BucketCount': String(own.bucketCount),
      ...(peers.length === 0 ? {} : { Peers: JSON.stringify(peers) }),
    },
    logger,
    clock: io.clock,
    randomness: io.randomness,
  });
  return { name, region, own, deletedKeepMs: await readDurationMs(own, 'Tables.DeletedKeepMs') };
}

interface Done {
  readonly measured: Measured;
  /** Why the table could not be deleted; undefined where it was. */
  readonly problem: string | undefined;
  /** Is what the ids of the rows of the table begin with. */
  readonly tableId: string;
}

/** Deletes the table however the work ends, and stops the regions. */
async function measureOpened(
  session: Session,
  opened: readonly OpenedRegion[],
  { table, budget, forMs }: { table: string; budget: Budget; forMs: number },
): Promise<Done> {
  const { clock, signal } = session.io;
  const [first] = opened;
  try {
    for (const one of opened) await openInTime(session, one);
    let problem: string | undefined;
    let measured: Measured;
    let tableId: string;
    try {
      // Its answer may be lost, so that it is taken away in any case.
      const { table: made } = await first!.region.catalogue.create(table);
      tableId = openTableId(made.key, formatGeneration(made.rowsOf));
      for (const one of opened) await untilTableIsThere(session, one, table);
      measured = await measureRegions({
        regions: opened,
        table,
        budget,
        forMs,
        clock,
        signal,
        onPhase: (what, writes) => session.progress.update(what, writes),
      });
    } finally {
      problem = await removeTable(first!, table);
      if (problem !== undefined) session.tell(problem);
    }
    return { measured, problem, tableId };
  } finally {
    await Promise.all(opened.map(({ region }) => region.stop()));
  }
}

async function openInTime(session: Session, { name, region }: OpenedRegion): Promise<void> {
  const { clock, signal } = session.io;
  const isOpen = new AbortController();
  let isGivenUp = false;
  const giveUp = async (): Promise<void> => {
    await clock.sleep(OPEN_MS_MAX, AbortSignal.any([signal, isOpen.signal]));
    if (isOpen.signal.aborted) return;
    isGivenUp = true;
    await region.stop();
  };
  const waiting = giveUp();
  try {
    await region.open();
  } finally {
    isOpen.abort();
    await waiting;
  }
  signal.throwIfAborted();
  if (isGivenUp) {
    throw new TransientError(
      'TABLE_UNAVAILABLE',
      `Region ${name} could not be opened within ${durationText(OPEN_MS_MAX)}: nothing was measured. See: tandem status.`,
    );
  }
}

async function untilTableIsThere(
  { io: { clock, signal } }: Session,
  { name, region }: OpenedRegion,
  table: string,
): Promise<void> {
  const startedMs = clock.nowMs();
  while ((await region.catalogue.findNow(table)) === undefined) {
    signal.throwIfAborted();
    if (clock.nowMs() - startedMs >= ARRIVAL_MS_MAX) {
      throw new TransientError(
        'BUS_UNAVAILABLE',
        `The table ${table} did not come to ${name} within ${durationText(ARRIVAL_MS_MAX)}: nothing was measured. See what tandem ` +
          'status says of its replicator.',
      );
    }
    await clock.sleep(TABLE_LOOK_MS, signal);
  }
}

/** Resolves to what is to be said where it is still there. */
async function removeTable(
  { name, region }: OpenedRegion,
  table: string,
): Promise<string | undefined> {
  try {
    await region.catalogue.remove(table);
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return (
      `The table ${table} could not be deleted, and is left: ${error.message} ` +
      `Run: tandem tables delete ${table} --region ${name} --apply.`
    );
  }
}

/** Counts the writes of the table in the outbox of a region, by the peers that they are owed to; undefined where it cannot be read. */
type Owed = ReadonlyMap<string, ReadonlyMap<string, number> | undefined>;

async function countOwed(opened: readonly OpenedRegion[], tableId: string): Promise<Owed> {
  const names = opened.map(({ name }) => name);
  const counted = opened.map(async ({ name, own }) => {
    const peers = names.filter((peer) => peer !== name);
    try {
      return [name, await countOwedBy(own, peers, tableId)] as const;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return [name, undefined] as const;
    }
  });
  return new Map(await Promise.all(counted));
}

async function countOwedBy(
  { recovery: { outbox } }: CliRegion,
  peers: readonly string[],
  tableId: string,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map(peers.map((peer) => [peer, 0]));
  for (const bucket of outbox.buckets) {
    for await (const { entries } of scanOutbox(outbox, { bucket, peers })) {
      for (const { set, owed, parkedFor } of entries) {
        const writes = set.changes.filter(({ entityId }) => entityId.startsWith(tableId)).length;
        for (const peer of parkedFor === undefined ? owed : [parkedFor]) {
          counts.set(peer, (counts.get(peer) ?? 0) + writes);
        }
      }
    }
  }
  return counts;
}

function sumOf(requests: Readonly<Record<string, number>>): number {
  return Object.values(requests).reduce((sum, one) => sum + one, 0);
}

interface Report extends Done {
  readonly owed: Owed;
  readonly table: string;
  readonly bill: Bill;
  readonly budget: Budget;
  readonly options: MeasureCommand;
}

function describe(session: Session, opened: readonly OpenedRegion[], report: Report): Outcome {
  const { measured, problem, table, bill, budget, options } = report;
  const billed = budget.billed();
  const writes = budget.writes();
  const isInterrupted = session.io.signal.aborted;
  const { alone, throughput } = measured;
  const directions = measured.directions.map((one) => ({
    ...one,
    owed: report.owed.get(one.from)?.get(one.to) ?? null,
  }));
  const notMeasured = findNotMeasured({ ...measured, directions });
  const failures = [...alone, ...throughput].reduce((sum, one) => sum + one.failures, 0);
  const isWell = failures === 0 && problem === undefined && notMeasured.length === 0;
  const keptMs = Math.max(...opened.map(({ deletedKeepMs }) => deletedKeepMs));
  const left =
    problem ??
    `${table} is deleted. Its rows go once ${durationText(keptMs)} have passed (Tables.DeletedKeepMs), what is archived of them as ` +
      'Archive.KeepMs says.';
  const cut = isInterrupted
    ? ['Interrupted: what was measured by then.']
    : measured.isCutShort
      ? [`Parts ended early to stay within ${options.operationsMax} operations.`]
      : [];
  return {
    text: [
      describeMeasured({ ...measured, directions }),
      describeBilled(billed, bill, writes),
      ...notMeasured,
      ...cut,
      'Fail-over was not measured: nothing was taken down. See tandem drill.',
      left,
    ].join('\n'),
    json: {
      applied: true,
      regions: opened.map(({ name }) => name),
      table,
      tableIsDeleted: problem === undefined,
      forMs: options.for,
      operationsMax: options.operationsMax,
      interrupted: isInterrupted,
      cutShort: measured.isCutShort,
      writes,
      failures,
      alone,
      directions,
      throughput,
      notMeasured,
      billed: { counted: bill, ...billed, perWrite: writes === 0 ? null : billed.total / writes },
      failOver: null,
      left,
    },
    exitCode: isInterrupted ? EXIT.interrupted : isWell ? EXIT.ok : EXIT.finding,
  };
}

interface Told extends Omit<Measured, 'directions'> {
  readonly directions: readonly (Direction & {
    /** Writes that were still in the outbox there at the end; null where nobody knows. */
    readonly owed: number | null;
  })[];
}

/** Returns a sentence for each figure that is missing, or is not of all that was written. */
function findNotMeasured({ alone, directions, throughput }: Told): readonly string[] {
  const within = durationText(ARRIVAL_MS_MAX);
  return [
    ...alone
      .filter(({ failures }) => failures > 0)
      .map(
        ({ region, failures }) =>
          `${region} did not acknowledge ${failures} of its writes, one at a time: they are in no figure.`,
      ),
    ...directions
      .filter(({ late }) => late > 0)
      .map(
        ({ from, to, late, samples }) =>
          `${late} of the writes to ${from} could not be read in ${to} within ${within}: the lag is ` +
          (samples === 0 ? 'not known.' : 'that of the others.'),
      ),
    ...directions
      .filter(({ late, samples }) => late === 0 && samples === 0)
      .map(
        ({ from, to }) =>
          `The lag from ${from} to ${to} is not known: one at a time, no write to ${from} was acknowledged beyond the first ` +
          `${WARM_UP_WRITES}, which do not count. It may have to write for longer.`,
      ),
    ...throughput
      .filter(({ failures }) => failures > 0)
      .map(
        ({ region, writers, failures }) =>
          `${region} did not acknowledge ${failures} of the writes by ${writers} at once: they are in no figure.`,
      ),
    ...throughput
      .filter(({ caughtUpMs, writes }) => caughtUpMs === null && writes > 0)
      .map(
        ({ region, writers }) =>
          `Not all writes by ${writers} at once to ${region} could be read everywhere within ${within}: what is said of them was ` +
          'acknowledged there, and nothing more.',
      ),
    ...directions
      .filter(({ owed }) => owed === null)
      .map(
        ({ from, to }) =>
          `How much of it ${from} still owes ${to} is not known: its outbox could not be read.`,
      ),
    ...directions
      .filter(({ owed }) => owed !== null && owed > 0)
      .map(
        ({ from, to, owed }) =>
          `${owed} of the writes to ${from} are still in its outbox, and not in the queue of ${to}: what it takes to send, receive and ` +
          'apply them is not in what is billed.',
      ),
  ];
}

function describeMeasured({ alone, directions, throughput }: Told): string {
  const acknowledged = textTable(
    ['one write at a time', 'writes', 'acknowledged p50, p99', 'a point read p50', 'failed'],
    alone.map((one) => [
      one.region,
      String(one.writes),
      msText(one.ackMs),
      one.readMs.p50 === null ? NOTHING : `${one.readMs.p50} ms`,
      String(one.failures),
    ]),
  );
  const lags = textTable(
    [
      'from',
      'to',
      'samples',
      'lag p50, p99',
      `not within ${durationText(ARRIVAL_MS_MAX)}`,
      'owed at the end',
    ],
    directions.map((one) => [
      one.from,
      one.to,
      String(one.samples),
      msText(one.lagMs),
      String(one.late),
      one.owed === null ? NOTHING : String(one.owed),
    ]),
  );
  const rates = textTable(
    ['region', 'writers', 'writes/s', 'acknowledged p50, p99', 'failed', 'all there after'],
    throughput.map((one) => [
      one.region,
      String(one.writers),
      one.writesPerSecond.toFixed(1),
      msText(one.ackMs),
      String(one.failures),
      one.caughtUpMs === null ? NOTHING : `${one.caughtUpMs} ms`,
    ]),
  );
  return [acknowledged, ...(directions.length === 0 ? [] : [lags]), rates].join('\n');
}

const NOTHING = 'not known';

function msText({ p50, p99 }: Percentiles): string {
  return p50 === null || p99 === null ? NOTHING : `${p50}, ${p99} ms`;
}

function describeBilled(billed: Billed, bill: Bill, writes: number): string {
  const { tableRequests, serviceBusOperations, tableRequestsOfReplicators, total } = billed;
  return textTable(
    [`billed for ${writes} writes`, 'operations', 'how it is known'],
    [
      [
        'table requests from here',
        String(tableRequests),
        `counted: ${bill.transactions} transactions, ${bill.pointReads} point reads, the rest ranges and looks`,
      ],
      [
        'Service Bus operations',
        String(serviceBusOperations),
        `${bill.messages} messages counted, each sent, received and completed`,
      ],
      [
        'table requests of the replicators',
        String(tableRequestsOfReplicators),
        'estimated, at most: read, applied and archived at each peer',
      ],
      ['together', String(total), writes === 0 ? '' : `${(total / writes).toFixed(2)} a write`],
    ],
  );
}
