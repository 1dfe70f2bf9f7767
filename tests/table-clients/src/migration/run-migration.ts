/**
 * A plain table with live clients is taken over, from the first forwarded request to the proof, while processes of its home
 * region are killed, and then returned to another plain table. Clients add one to counters under `If-Match`, each to its own rows, and one reads the table page after
 * page all the time; all of them know the endpoint of the home region alone, and speak `@azure/data-tables` as it is.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { AzureNamedKeyCredential, odata, RestError, TableClient } from '@azure/data-tables';
import { type Cluster, inventoryOf, type Region, startCluster } from '@tandem/local-cluster';
import { createAzureTableStore } from '@tandem/storage';
import { startAzurite } from '@tandem/storage/testing';

export interface MigrationOptions {
  readonly rows: number;
  readonly clients: number;
  /** How often a process of the home region is killed after the table was taken over, and comes back. */
  readonly kills: number;
  readonly rowsPerSecond?: number | undefined;
  /** Azurite by default, which goes over all rows for each read; `sorted` finds rows by their keys, and keeps them in memory. */
  readonly store?: 'azurite' | 'sorted' | undefined;
  readonly onProgress?: ((what: string) => void) | undefined;
}

export interface MigrationReport {
  readonly rows: number;
  readonly clients: number;
  readonly kills: number;
  readonly writes: number;
  /** Requests that failed for good, after all that the SDK repeats itself; with what they were told. */
  readonly failed: readonly string[];
  /** Of writes whose version was another: somebody else's, or a first try whose answer was lost. */
  readonly rereads: number;
  /** The same by what went on meanwhile. */
  readonly rereadsWhile: Readonly<Record<string, number>>;
  /** Rows whose counter is less than was acknowledged, or more than was asked for. */
  readonly lost: number;
  readonly passes: number;
  readonly doubled: number;
  readonly missed: number;
  /** Of ETags that were read before the table was taken over, and used once it was done. */
  readonly heldTags: number;
  readonly heldTagsRefused: number;
  /** Rows that differ between the regions, or from the old table where nobody wrote, in value or type. */
  readonly different: number;
  readonly longestWriteMs: number;
  readonly copySeconds: number;
  readonly rowsPerSecond: number;
  readonly proof: unknown;
  /** What came of the way out, which goes on with the same clients. */
  readonly returned: ReturnReport;
}

interface ReturnReport {
  readonly rows: number;
  readonly writes: number;
  readonly heldMs: number;
  readonly longestWriteMs: number;
  /** Counters that are less in the plain table than was acknowledged, or more than was asked for. */
  readonly lost: number;
  /** Rows that differ between the plain table and what the endpoint shows, in value or type. */
  readonly different: number;
}

const TABLE = 'Orders';
const MIRROR = 'OrdersBack';
const HARD = ['a', 'a b', 'a!', "O'Brien", 'ä€', '\u{1F600}', 'a%20b', '!0', '~', 'Z', '00'];
const PARTITIONS = HARD.length;
const ROWS_PER_COMMIT = 100;
/** Rows that nobody writes, whose ETags are kept; those of the clients come before them. */
const HELD_SHARE = 0.02;
const COUNTED_PER_CLIENT = 20;
/**
 * As patient as an application that has to live through a restart of a server, which on a busy machine takes up to a
 * minute; how long the longest write took is in the report.
 */
const RETRIES = { maxRetries: 30, maxRetryDelayInMs: 2_000 };
const FORWARDED_MS = 3_000;
const WAIT_MS_MAX = 600_000;
/** Beyond that, for each row: whoever copies, or compares, so slowly does not go on. */
const WAIT_MS_PER_ROW = 10;
const KILL_EVERY_MS = 4_000;
/** Between the requests of a client: what is shown is that they go on, not how many there can be. */
const PAUSE_MS = 20;

const keyOf = (index: number): { partitionKey: string; rowKey: string } => ({
  partitionKey: HARD[index % PARTITIONS]!,
  rowKey: `${HARD[(index * 7) % PARTITIONS]!}${String(index).padStart(7, '0')}`,
});

type Store = ReturnType<typeof createAzureTableStore>;
type RowOperation = Parameters<Store['commit']>[0]['operations'][number];

/** Every type of the service, with what is hard about each. */
function rowOf(index: number): RowOperation {
  const hash = createHash('sha256').update(String(index)).digest();
  const text = `a,"b"\r\nc \u2028 ${hash.toString('hex').slice(0, index % 40)}`;
  return {
    kind: 'insert',
    rowKey: keyOf(index).rowKey,
    properties: new Map([
      ['n', { type: 'Int32', value: 0 }],
      ['text', { type: 'String', value: text }],
      ['yes', { type: 'Boolean', value: index % 2 === 0 }],
      ['large', { type: 'Int64', value: hash.readBigInt64BE(0) }],
      ['whole', { type: 'Double', value: 5 }],
      ['part', { type: 'Double', value: hash.readInt32BE(8) / 1_000 }],
      ['when', { type: 'DateTime', value: '2026-12-01T02:29:48.1234567Z' }],
      ['id', { type: 'Guid', value: '0f8fad5b-d9cb-469f-a165-70867728950e' }],
      ['bytes', { type: 'Binary', value: new Uint8Array(hash.subarray(0, index % 20)) }],
    ]),
  };
}

export async function runMigration(options: MigrationOptions): Promise<MigrationReport> {
  const { onProgress = () => undefined } = options;
  const tablesMain = options.store === 'sorted' ? SORTED : undefined;
  const shop = await startAzurite({ main: tablesMain });
  let cluster: Cluster | undefined;
  try {
    const accounts = {
      plain: clientOf(shop.connectionString),
      returned: clientOf(shop.connectionString, MIRROR),
    };
    onProgress(`fills the old table with ${options.rows} rows`);
    await fill(shop.connectionString, options.rows);
    cluster = await startCluster({
      regions: ['east', 'west'],
      tablesMain,
      settings: {
        'Rows.BucketCount': '4',
        'Tables.Sources': JSON.stringify([{ name: 'shop', connection: shop.connectionString }]),
        ...(options.rowsPerSecond === undefined
          ? {}
          : { 'Tables.CopyRowsPerSecond': String(options.rowsPerSecond) }),
      },
    });
    return await new Migration(cluster, accounts, { ...options, onProgress }).run();
  } finally {
    await cluster?.stop();
    await shop.stop();
  }
}

function clientOf(connection: string, table = TABLE): TableClient {
  const part = (name: string): string =>
    connection
      .split(';')
      .find((one) => one.startsWith(`${name}=`))
      ?.slice(name.length + 1) ?? '';
  const credential = new AzureNamedKeyCredential(part('AccountName'), part('AccountKey'));
  const options = { allowInsecureConnection: true, retryOptions: RETRIES };
  return new TableClient(part('TableEndpoint'), table, credential, options);
}

/** By a store of ours: the SDK's transactions hold characters that end those of Azurite. */
async function fill(connectionString: string, rows: number): Promise<void> {
  const store = createAzureTableStore({ connectionString });
  await store.createTable(TABLE);
  for (const [partition, partitionKey] of HARD.entries()) {
    let operations: RowOperation[] = [];
    const commit = async (): Promise<void> => {
      if (operations.length > 0) await store.commit({ table: TABLE, partitionKey, operations });
      operations = [];
    };
    for (let index = partition; index < rows; index += PARTITIONS) {
      operations.push(rowOf(index));
      if (operations.length === ROWS_PER_COMMIT) await commit();
    }
    await commit();
  }
}

interface Counter {
  readonly index: number;
  acknowledged: number;
  asked: number;
}

class Migration {
  readonly #cluster: Cluster;
  readonly #plain: TableClient;
  /** Where it goes when it is returned. */
  readonly #returned: TableClient;
  readonly #options: MigrationOptions & { readonly onProgress: (what: string) => void };
  readonly #home: Region;
  readonly #table: TableClient;
  readonly #counters: Counter[] = [];
  readonly #failed: string[] = [];
  #isOver = false;
  #writes = 0;
  #rereads = 0;
  readonly #rereadsWhile: Record<string, number> = {};
  #phase = '';
  #passes = 0;
  #doubled = 0;
  #missed = 0;
  #longestWriteMs = 0;

  constructor(
    cluster: Cluster,
    { plain, returned }: { readonly plain: TableClient; readonly returned: TableClient },
    options: MigrationOptions & { readonly onProgress: (what: string) => void },
  ) {
    this.#cluster = cluster;
    this.#plain = plain;
    this.#returned = returned;
    const onProgress = (what: string): void => {
      this.#phase = what;
      options.onProgress(what);
    };
    this.#options = { ...options, onProgress };
    const counted = Math.min(options.rows, options.clients * COUNTED_PER_CLIENT);
    for (let index = 0; index < counted; index += 1) {
      this.#counters.push({ index, acknowledged: 0, asked: 0 });
    }
    this.#home = cluster.region('east');
    this.#table = clientOf(this.#home.addresses.tableEndpoint);
  }

  async run(): Promise<MigrationReport> {
    const { rows, clients, kills, onProgress } = this.#options;
    onProgress('adopts it');
    await this.#tandem('adopt', '--from', 'shop', '--apply');
    const held = await this.#holdTags();
    const working = [
      ...Array.from({ length: clients }, (_, client) => this.#count(client)),
      this.#page(),
    ];
    await sleep(FORWARDED_MS);
    onProgress('takes it over');
    await this.#tandem('take-over', '--apply', '--confirm', 'east');
    const startedMs = Date.now();
    const killing = this.#kill(kills);
    await this.#until('copied', async () => (await this.#state()) === 'copied');
    const copySeconds = (Date.now() - startedMs) / 1_000;
    await killing;
    onProgress('proves it');
    let proof: Record<string, unknown> = {};
    await this.#until('proven', async () => {
      const run = await this.#tandemOnce('verify-copy', '--region', 'east', '--apply');
      proof = run.json;
      return run.code === 0;
    });
    await sleep(FORWARDED_MS);
    this.#isOver = true;
    await Promise.all(working);
    onProgress('compares the regions');
    const heldTagsRefused = await this.#useTags(held);
    const lost = await this.#countLost(this.#table);
    const different = await this.#countDifferent(new Set(held.keys()));
    const [writes, longestWriteMs] = [this.#writes, this.#longestWriteMs];
    const returned = await this.#return();
    const { rows: proven, untouched, changed, deleted, digest } = proof;
    return {
      rows,
      clients,
      kills,
      writes,
      failed: this.#failed,
      rereads: this.#rereads,
      rereadsWhile: this.#rereadsWhile,
      lost,
      passes: this.#passes,
      doubled: this.#doubled,
      missed: this.#missed,
      heldTags: held.size,
      heldTagsRefused,
      different,
      longestWriteMs,
      copySeconds,
      rowsPerSecond: Math.round(rows / copySeconds),
      proof: { rows: proven, untouched, changed, deleted, digest },
      returned,
    };
  }

  /** Hands the table over to another plain one while the same clients go on. */
  async #return(): Promise<ReturnReport> {
    const { clients, onProgress } = this.#options;
    onProgress('mirrors it');
    await this.#tandem('mirror', '--to', 'shop', '--account-table', MIRROR, '--apply');
    await this.#until('mirrored', async () => {
      const { json } = await this.#tandemOnce('mirror', '--region', 'east');
      return typeof json['lagMs'] === 'number';
    });
    const before = this.#writes;
    this.#longestWriteMs = 0;
    this.#isOver = false;
    const working = [
      ...Array.from({ length: clients }, (_, client) => this.#count(client)),
      this.#page(),
    ];
    await sleep(FORWARDED_MS);
    onProgress('returns it');
    const run = await this.#tandemOnce(
      'return',
      '--region',
      'east',
      '--apply',
      '--confirm',
      'east',
    );
    if (run.code !== 0) this.#failed.push(`the return: ${run.text.slice(0, 1_000)}`);
    await sleep(FORWARDED_MS);
    this.#isOver = true;
    await Promise.all(working);
    const [plain, shown] = [await readAll(this.#returned), await readAll(this.#table)];
    const unlike = [...shown].filter(([name, row]) => plain.get(name) !== row).length;
    return {
      rows: Number(run.json['rows']),
      writes: this.#writes - before,
      heldMs: Number(run.json['heldMs']),
      longestWriteMs: this.#longestWriteMs,
      lost: await this.#countLost(this.#returned),
      different: unlike + Math.abs(plain.size - shown.size),
    };
  }

  /** Adds one to its own rows, with the ETag of its last write, as an application that keeps its rows does. */
  async #count(client: number): Promise<void> {
    const own = this.#counters.filter(({ index }) => index % this.#options.clients === client);
    const known = new Map<number, { readonly n: number; readonly etag: string }>();
    for (let turn = 0; !this.#isOver; turn += 1) {
      const counter = own[turn % own.length];
      if (counter === undefined) return;
      await sleep(PAUSE_MS);
      const { partitionKey, rowKey } = keyOf(counter.index);
      await this.#guarded('a write', async () => {
        const last = known.get(counter.index) ?? (await this.#read(counter.index));
        counter.asked += 1;
        const startedMs = Date.now();
        const next = { partitionKey, rowKey, n: { type: 'Int32', value: last.n + 1 } };
        try {
          const { etag = '' } = await this.#table.updateEntity(next, 'Merge', {
            etag: last.etag,
          });
          counter.acknowledged += 1;
          this.#writes += 1;
          known.set(counter.index, { n: last.n + 1, etag });
        } catch (error) {
          known.delete(counter.index);
          if (!(error instanceof RestError) || error.statusCode !== 412) throw error;
          this.#rereads += 1;
          this.#rereadsWhile[this.#phase] = (this.#rereadsWhile[this.#phase] ?? 0) + 1;
        } finally {
          this.#longestWriteMs = Math.max(this.#longestWriteMs, Date.now() - startedMs);
        }
      });
    }
  }

  async #read(
    index: number,
    table = this.#table,
  ): Promise<{ readonly n: number; readonly etag: string }> {
    const { partitionKey, rowKey } = keyOf(index);
    const row = await table.getEntity<{ n: number }>(partitionKey, rowKey);
    return { n: row.n, etag: row.etag };
  }

  /** Nobody makes or deletes rows meanwhile, so each pass has every row once, in order. */
  async #page(): Promise<void> {
    while (!this.#isOver) {
      await this.#guarded('a page', async () => {
        const seen = new Set<string>();
        let last = '';
        const pages = this.#table
          .listEntities({ queryOptions: { select: ['PartitionKey', 'RowKey'] } })
          .byPage({ maxPageSize: 250 });
        for await (const page of pages) {
          for (const { partitionKey = '', rowKey = '' } of page) {
            const key = `${partitionKey}\u0000${rowKey}`;
            if (seen.has(key) || key <= last) this.#doubled += 1;
            seen.add(key);
            last = key;
          }
        }
        this.#missed += this.#options.rows - seen.size;
        this.#passes += 1;
      });
    }
  }

  /** Whatever a client is told in the end, after all that its SDK repeats, is a failure of ours. */
  async #guarded(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const status = error instanceof RestError ? `${error.statusCode} ${error.code}` : '';
      this.#failed.push(
        `${what}: ${status} ${error instanceof Error ? error.message.slice(0, 200) : ''}`,
      );
    }
  }

  async #holdTags(): Promise<ReadonlyMap<number, string>> {
    const { rows } = this.#options;
    const count = Math.max(1, Math.floor(rows * HELD_SHARE));
    const held = new Map<number, string>();
    for (let index = rows - count; index < rows; index += 1) {
      held.set(index, (await this.#read(index)).etag);
    }
    return held;
  }

  async #useTags(held: ReadonlyMap<number, string>): Promise<number> {
    let refused = 0;
    for (const [index, etag] of held) {
      const entity = { ...keyOf(index), held: true };
      try {
        await this.#table.updateEntity(entity, 'Merge', { etag });
      } catch (error) {
        if (!(error instanceof RestError) || error.statusCode !== 412) throw error;
        refused += 1;
      }
    }
    return refused;
  }

  async #countLost(table: TableClient): Promise<number> {
    let lost = 0;
    for (const { index, acknowledged, asked } of this.#counters) {
      const { n } = await this.#read(index, table);
      if (n < acknowledged || n > asked) lost += 1;
    }
    return lost;
  }

  /** Compares what both regions have once they are quiet, and with the old table where no client wrote. */
  async #countDifferent(held: ReadonlySet<number>): Promise<number> {
    const written = new Set([...held, ...this.#counters.map(({ index }) => index)].map(nameOf));
    const [old, east] = [await readAll(this.#plain), await readAll(this.#table)];
    let different = 0;
    for (const [name, row] of old) {
      if (!written.has(name) && east.get(name) !== row) different += 1;
    }
    const inWest = clientOf(this.#cluster.region('west').addresses.tableEndpoint);
    let unlike = Number.POSITIVE_INFINITY;
    await this.#until('equal', async () => {
      const west = await readAll(inWest);
      unlike = [...east].filter(([name, row]) => west.get(name) !== row).length;
      return unlike === 0 && west.size === east.size;
    });
    return different + unlike;
  }

  /** Kills the replicator and the endpoint in turn; each comes back a moment later. */
  async #kill(times: number): Promise<void> {
    const { replicator, tableEndpoint } = this.#home;
    for (let time = 0; time < times; time += 1) {
      await sleep(KILL_EVERY_MS);
      const one = time % 2 === 0 ? replicator : tableEndpoint;
      this.#options.onProgress(`kills ${one.name}`);
      await one.kill();
      await this.#until('started', async () => {
        try {
          await this.#home.start();
          return true;
        } catch (error) {
          // A busy machine may take longer than the cluster waits for a process.
          this.#options.onProgress(error instanceof Error ? error.message : 'It did not start.');
          return false;
        }
      });
    }
  }

  async #state(): Promise<string> {
    const { json } = await this.#tandemOnce('status', '--region', 'east');
    return (json['source'] as { readonly state?: string } | undefined)?.state ?? '';
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const waitMsMax = WAIT_MS_MAX + this.#options.rows * WAIT_MS_PER_ROW;
    const endMs = Date.now() + waitMsMax;
    while (!(await isSo())) {
      if (Date.now() > endMs) throw new Error(`It was not ${what} within ${waitMsMax} ms.`);
      await sleep(1_000);
    }
  }

  async #tandem(verb: string, ...args: readonly string[]): Promise<void> {
    const { code, text } = await this.#tandemOnce(verb, '--region', 'east', ...args);
    if (code !== 0) throw new Error(`tandem tables ${verb}: ${text}`);
  }

  #tandemOnce(verb: string, ...args: readonly string[]): Promise<TandemRun> {
    return runTandem(this.#cluster, ['tables', verb, TABLE, ...args]);
  }
}

interface TandemRun {
  readonly code: number;
  readonly json: Record<string, unknown>;
  readonly text: string;
}

const SORTED = fileURLToPath(
  new URL('../../../../apps/table-endpoint/src/testing/plain-tables.ts', import.meta.url),
);
const TANDEM = fileURLToPath(new URL('../../../../apps/cli/src/main.ts', import.meta.url));

function runTandem(cluster: Cluster, args: readonly string[]): Promise<TandemRun> {
  const env = { ...process.env, TANDEM_REGIONS: JSON.stringify(inventoryOf(cluster)) };
  return new Promise((resolve) => {
    execFile(process.execPath, [TANDEM, '--json', ...args], { env }, (error, out, err) => {
      const last = out.trimEnd().split('\n').at(-1) ?? '';
      const json = last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {};
      const code = error === null ? 0 : Number(error.code ?? 1);
      resolve({ code, json, text: `${err}${out}` });
    });
  });
}

const nameOf = (index: number): string => {
  const { partitionKey, rowKey } = keyOf(index);
  return `${partitionKey}\u0000${rowKey}`;
};

/** Returns every row with its values and types, by its keys; without what each side says of it itself. */
async function readAll(table: TableClient): Promise<ReadonlyMap<string, string>> {
  const rows = new Map<string, string>();
  const filter = odata`PartitionKey ge ${''}`;
  for await (const row of table.listEntities({
    disableTypeConversion: true,
    queryOptions: { filter },
  })) {
    const { partitionKey = '', rowKey = '', etag: _, timestamp: __, ...values } = row;
    const text = JSON.stringify(Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    rows.set(`${partitionKey}\u0000${rowKey}`, text);
  }
  return rows;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
