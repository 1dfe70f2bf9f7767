/** The process that writes: bare upserts and replicated writes alike, so that both share its costs. */
import { type ArchiveSpan, bucketNames } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createAzureTableStore, replayIntoTable } from '@tandem/storage';
import { createTableArchiveKeeper } from '@tandem/storage/testing';
import { percentile } from '../stats/spread.ts';
import { createBareLoad, ROWS_PER_BATCH } from './bare-load.ts';
import { customerFor, customerId, customerOf } from './customers.ts';
import { createEntryLoad, type EntryLoad } from './entry-load.ts';
import { createFirstForm } from './first-form-load.ts';
import { createHttpLoad } from './http-load.ts';
import { runInTurns } from './in-turns.ts';
import type { LoadCommand, LoadReport, LoadSettings } from './load-command.ts';
import { runPaced } from './paced-load.ts';
import { createReplicatedLoad } from './replicated-load.ts';
import { type LoadResult, runCount, runWriters } from './run-writers.ts';
import { createTableClientLoad, type TableClientLoad } from './table-client-load.ts';

const settings = JSON.parse(process.argv[2] ?? '{}') as LoadSettings;
const { bucketCount } = settings;
const store = createAzureTableStore({ connectionString: settings.tables });
const replicated = createReplicatedLoad({
  ...settings,
  region: 'east',
  peer: 'west',
  store,
  peerStore: createAzureTableStore({ connectionString: settings.peerTables }),
});
const bare = await createBareLoad(settings.tables, bucketCount);
let revision = 0;
let replays = 0;

type Loaded = LoadResult & {
  readonly lagsMs?: readonly number[];
  readonly failures?: number;
  /** Where the load itself waited for the other region. */
  readonly replicatedMs?: number;
  readonly inTurns?: LoadReport['inTurns'];
  readonly clientsInTurns?: LoadReport['clientsInTurns'];
};

/** Opened when it is first asked for: what it does while nothing is written would be part of other figures. */
let entry: Promise<EntryLoad> | undefined;

/** Writes by the entry, and waits until the other region has everything. */
async function runEntryWrites(
  { writers, durationMs }: LoadCommand,
  write: (load: EntryLoad, nth: number) => Promise<void>,
): Promise<Loaded> {
  entry ??= createEntryLoad(settings);
  const load = await entry;
  const startedMs = performance.now();
  const result = await runWriters(writers, durationMs, (nth) => write(load, nth));
  await load.untilReplicated();
  return { ...result, replicatedMs: performance.now() - startedMs };
}

const clients = new Map<string, Promise<TableClientLoad>>();

function clientOf(connection = ''): Promise<TableClientLoad> {
  const known = clients.get(connection) ?? createTableClientLoad(connection);
  clients.set(connection, known);
  return known;
}

/** Those that hold every customer. */
const isFilled = new WeakSet<TableClientLoad>();

/** Writes, and where another region is named waits until it has everything. */
async function runClientWrites(
  { writers, durationMs, connection, peerConnection }: LoadCommand,
  write: (client: TableClientLoad, nth: number) => Promise<unknown>,
): Promise<Loaded> {
  const client = await clientOf(connection);
  const peer = peerConnection === undefined ? undefined : await clientOf(peerConnection);
  const startedMs = performance.now();
  const result = await runWriters(writers, durationMs, (nth) => write(client, nth));
  if (peer !== undefined) await client.untilReadable(peer);
  return { ...result, ...(peer && { replicatedMs: performance.now() - startedMs }) };
}

const writeBare = (customer: number): Promise<unknown> => bare.upsert(customer, (revision += 1));
const writeReplicated = (customer: number) =>
  replicated.table.put(customerId(customer), customerFor(customer, (revision += 1)));

const LOADS: Record<LoadCommand['kind'], (command: LoadCommand) => Promise<Loaded>> = {
  bare: ({ writers, durationMs, customers }) =>
    runWriters(writers, durationMs, (write) => writeBare(customerOf(write, customers))),
  'bare-batches': async ({ writers, durationMs }) => {
    const result = await runWriters(writers, durationMs, (write) => bare.upsertHundred(write));
    return { ...result, writes: result.writes * ROWS_PER_BATCH };
  },
  replicated: ({ writers, durationMs, customers }) =>
    runWriters(writers, durationMs, (write) => writeReplicated(customerOf(write, customers))),
  backlog: ({ writers, customers }) =>
    runCount(writers, customers, (write) =>
      replicated.table.put(customerId(write), customerFor(write, (revision += 1)), {
        kind: 'absent',
      }),
    ),
  'until-replicated': () => runCount(1, 0, () => Promise.resolve()),
  paced: (command) => {
    const { peerStore } = replicated;
    return runPaced(command, { put: writeReplicated, peerStore, bucketCount });
  },
  http: async ({ writers, durationMs, customers, apiUrl = '' }) => {
    const http = createHttpLoad(apiUrl);
    try {
      return await runWriters(writers, durationMs, (write) =>
        http.put(customerOf(write, customers), (revision += 1)),
      );
    } finally {
      http.close();
    }
  },
  'in-turns': async ({ durationMs, customers, apiUrl = '' }) => {
    const http = createHttpLoad(apiUrl);
    try {
      const inTurns = await runInTurns(durationMs, {
        bare: writeBare,
        replicated: writeReplicated,
        // Customers of its own: what two processes change, each has to read again.
        http: (nth) => http.put(customers + nth, (revision += 1)),
      });
      return { writes: 0, elapsedMs: durationMs, latenciesMs: [], inTurns };
    } finally {
      http.close();
    }
  },
  'first-form': async ({ writers, durationMs, customers }) => {
    const queue = 'first-form';
    const form = await createFirstForm({ ...settings, queue });
    const startedMs = performance.now();
    const result = await runWriters(writers, durationMs, (write) =>
      form.write(customerOf(write, customers), (revision += 1)),
    );
    await form.untilReplicated();
    const replicatedMs = performance.now() - startedMs;
    await form.close();
    return { ...result, replicatedMs };
  },
  'entry-typed': (command) =>
    runEntryWrites(command, (load, nth) =>
      load.putTyped(customerOf(nth, command.customers), (revision += 1)),
    ),
  'entry-open': (command) =>
    runEntryWrites(command, (load, nth) =>
      load.putOpen(customerOf(nth, command.customers), (revision += 1)),
    ),
  'entry-transactions': async (command) => {
    const result = await runEntryWrites(command, (load, nth) => load.transact(nth, ROWS_PER_BATCH));
    return { ...result, writes: result.writes * ROWS_PER_BATCH };
  },
  'client-upserts': (command) =>
    runClientWrites(command, (client, nth) =>
      client.upsert(customerOf(nth, command.customers), (revision += 1)),
    ),
  'client-transactions': async (command) => {
    const { rows = ROWS_PER_BATCH } = command;
    const result = await runClientWrites(command, (client, nth) => client.upsertRows(nth, rows));
    return { ...result, writes: result.writes * rows };
  },
  'client-gets': async ({ writers, durationMs, customers, connection }) => {
    const client = await clientOf(connection);
    if (!isFilled.has(client)) {
      await runCount(writers, customers, (nth) => client.upsert(nth % customers, nth));
      isFilled.add(client);
    }
    return runWriters(writers, durationMs, (nth) => client.get(customerOf(nth, customers)));
  },
  'client-pages': async ({ writers, durationMs, connection }) => {
    const client = await clientOf(connection);
    await client.page();
    return runWriters(writers, durationMs, () => client.page());
  },
  'clients-in-turns': async ({ durationMs, customers, connection, peerConnection }) => {
    const [subject, baseline] = [await clientOf(connection), await clientOf(peerConnection)];
    const clientsInTurns = await runInTurns(durationMs, {
      baseline: (nth) => baseline.upsert(customerOf(nth, customers), (revision += 1)),
      subject: (nth) => subject.upsert(customerOf(nth, customers), (revision += 1)),
    });
    return { writes: 0, elapsedMs: durationMs, latenciesMs: [], clientsInTurns };
  },
  pages: ({ writers, durationMs }) =>
    runWriters(writers, durationMs, () => replicated.table.list(ROWS_PER_BATCH)),
  replay: async () => {
    const table = `Replayed${(replays += 1)}`;
    const startedMs = performance.now();
    let writes = 0;
    const keeper = createTableArchiveKeeper({ store });
    const archive = {
      horizonMs: (entityKind: string) => keeper.horizonMs(entityKind),
      async *scan(span: ArchiveSpan) {
        for await (const row of keeper.scan(span)) {
          if (row.kind === 'set') writes += row.set.changes.length;
          yield row;
        }
      },
    };
    // What `tandem replay` runs, its record in the table included.
    await replayIntoTable({
      archive,
      buckets: bucketNames(bucketCount),
      span: {},
      source: 'east',
      target: { name: 'east', store, kind: customerKind, bucketCount },
      table,
    });
    return { writes, elapsedMs: performance.now() - startedMs, latenciesMs: [] };
  },
};

const WAITS: ReadonlySet<LoadCommand['kind']> = new Set([
  'replicated',
  'until-replicated',
  'paced',
]);

async function run(command: LoadCommand): Promise<LoadReport> {
  const startedMs = performance.now();
  const setsBefore = replicated.committedSets();
  const { writes, elapsedMs, latenciesMs, lagsMs, inTurns, clientsInTurns, ...own } =
    await LOADS[command.kind](command);
  const changeSets = replicated.committedSets() - setsBefore;
  const waits = WAITS.has(command.kind);
  if (waits) await replicated.untilReplicated();
  return {
    writes,
    elapsedMs,
    replicatedMs: own.replicatedMs ?? (waits ? performance.now() - startedMs : elapsedMs),
    latencyMsP50: percentile(latenciesMs, 0.5),
    latencyMsP99: percentile(latenciesMs, 0.99),
    changeSets,
    failures: own.failures ?? 0,
    ...(lagsMs === undefined ? {} : { lagsMs }),
    ...(inTurns === undefined ? {} : { inTurns }),
    ...(clientsInTurns === undefined ? {} : { clientsInTurns }),
  };
}

process.on('message', (command: LoadCommand) => {
  run(command).then(
    (report) => process.send?.({ report }),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.on('SIGTERM', () => process.exit());
process.stdout.write('{"event":"ready"}\n');
