// Makes the data that a test starts this build over: two regions of an earlier commit are started from a worktree of
// their own, written to, and stopped while change sets wait in outboxes and queues. Run it only for another commit:
//   pnpm --filter @tandem/e2e make:kept-data --commit 342f556
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Cluster, Region, startCluster } from '@tandem/local-cluster';
import { Command } from 'commander';
import { listCustomers, send, until } from '../customers-client.ts';
import { untilSent } from '../recovery/until-sent.ts';
import { BUCKET_COUNT, KEPT_DATA, type KeptCustomer, type KeptRecord } from './kept-data.ts';

const ROOT = resolve(import.meta.dirname, '../../../..');
const CUSTOMERS = 1_000;
const AT_ONCE = 8;

/** Under the names that settings had then; the first two would be missed at once if they were read no longer. */
const SETTINGS = {
  'Customer.BucketCount': String(BUCKET_COUNT),
  'Customer.Preconditions': 'required',
  // What waits is applied however old it is by the time that a test runs.
  'Tombstone.AgeMs': '315360000000',
  'Sweep.GraceMs': '1000',
  'Rows.MemoryMib': '64',
};
/** West writes what the release before wrote, so that rows and messages of either form are kept. */
const WEST_WRITES_PLAIN = { MESSAGES_WIRE_VERSION: '1' };

type Fields = Omit<KeptCustomer, 'customerId'>;

class Writer {
  /** By id, as the last acknowledged write left it; undefined once it is deleted. */
  readonly expected = new Map<string, KeptCustomer | undefined>();
  /** By region and id, the entity tag that a write there has to name. */
  readonly #etags = new Map<string, string>();

  async create(region: Region, n: number): Promise<void> {
    const fields = { email: `c${n}@example.com`, firstName: `Zoë ${n}`, lastName: `Ω${n % 7}` };
    await this.#write(region, n, 'PUT', { ...fields, phoneNumber: null }, { 'if-none-match': '*' });
  }

  change(region: Region, n: number, fields: Partial<Fields>): Promise<void> {
    return this.#write(region, n, 'PATCH', fields, this.#seen(region, n));
  }

  delete(region: Region, n: number): Promise<void> {
    return this.#write(region, n, 'DELETE', undefined, this.#seen(region, n));
  }

  /** Waits until both regions show what was written last, and lets either be written to from there. */
  async untilEqual(regions: readonly Region[]): Promise<void> {
    const living = [...this.expected.values()].filter((customer) => customer !== undefined);
    for (const region of regions) {
      await until(`everything in ${region.name}`, async () => {
        const found = await listCustomers(region.addresses.api);
        const isThere = living.every(({ customerId, ...fields }) =>
          Object.entries(fields).every(
            ([name, value]) => found.get(customerId)?.[name as keyof Fields] === value,
          ),
        );
        return isThere && found.size === living.length ? true : undefined;
      });
    }
    for (const [key, etag] of this.#etags) {
      const [, id = ''] = key.split('/');
      for (const { name } of regions) this.#etags.set(`${name}/${id}`, etag);
    }
  }

  #seen({ name }: Region, n: number): Record<string, string> {
    return { 'if-match': this.#etags.get(`${name}/${idOf(n)}`) ?? '' };
  }

  async #write(
    region: Region,
    n: number,
    method: 'PUT' | 'PATCH' | 'DELETE',
    body: Partial<Fields> | undefined,
    headers: Record<string, string>,
  ): Promise<void> {
    const customerId = idOf(n);
    const url = `${region.addresses.api}/customers/${customerId}`;
    const { status, etag } = await send(url, method, body, headers);
    if (status >= 300) throw new Error(`${method} of ${n} in ${region.name}: ${status}`);
    const before = this.expected.get(customerId);
    this.expected.set(
      customerId,
      method === 'DELETE' ? undefined : ({ customerId, ...before, ...body } as KeptCustomer),
    );
    if (etag !== null) this.#etags.set(`${region.name}/${customerId}`, etag);
  }
}

function idOf(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

function idsOf(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, n) => idOf(from + n));
}

/** Does the work for each number from `from` until before `to`, a few at once. */
async function each(from: number, to: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = from;
  const one = async (): Promise<void> => {
    while (next < to) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

async function write({ regions, region }: Cluster): Promise<KeptRecord> {
  const [east, west] = [region('east'), region('west')];
  const writer = new Writer();
  await each(0, 900, (n) => writer.create(n % 2 === 0 ? east : west, n));
  await writer.untilEqual(regions);
  await each(100, 400, (n) =>
    writer.change(n % 2 === 0 ? west : east, n, { phoneNumber: `555-${n}` }),
  );
  await each(400, 500, (n) => writer.delete(n % 3 === 0 ? west : east, n));
  await writer.untilEqual(regions);
  await each(400, 420, (n) => writer.create(west, n));
  await writer.untilEqual(regions);

  await west.replicator.stop();
  await each(900, 940, (n) => writer.create(east, n));
  await each(0, 40, (n) => writer.change(east, n, { lastName: null }));
  await each(500, 520, (n) => writer.delete(east, n));
  await each(800, 840, (n) => writer.change(east, n, { phoneNumber: 'of east' }));
  await untilSent(east, BUCKET_COUNT);
  await west.broker.stop();
  await each(940, 970, (n) => writer.create(east, n));
  await each(40, 60, (n) => writer.change(east, n, { firstName: `in east ${n}` }));
  await each(520, 530, (n) => writer.delete(east, n));

  await east.replicator.stop();
  await each(970, 985, (n) => writer.create(west, n));
  // Neither region has seen what the other wrote to these: of one field the later write stays.
  await each(800, 820, (n) => writer.change(west, n, { firstName: 'of west' }));
  await each(820, 840, (n) => writer.change(west, n, { phoneNumber: 'of west' }));
  await each(530, 540, (n) => writer.delete(west, n));
  await untilSent(west, BUCKET_COUNT);
  await east.broker.stop();
  await each(985, CUSTOMERS, (n) => writer.create(west, n));
  await each(60, 80, (n) => writer.change(west, n, { phoneNumber: null, lastName: `w${n}` }));
  await each(540, 545, (n) => writer.delete(west, n));
  const ids = idsOf(0, CUSTOMERS);
  return {
    deleted: ids.filter((id) => writer.expected.get(id) === undefined),
    living: ids.flatMap((id) => writer.expected.get(id) ?? []),
    waiting: {
      west: { inQueue: idsOf(900, 940), inOutbox: idsOf(940, 970) },
      east: { inQueue: idsOf(970, 985), inOutbox: idsOf(985, CUSTOMERS) },
    },
  };
}

async function writeAndStop(cluster: Cluster): Promise<KeptRecord> {
  try {
    return await write(cluster);
  } finally {
    await cluster.stop();
  }
}

async function startEarlier(checkout: string, dataFolder: string): Promise<Cluster> {
  const path = join(checkout, 'packages/local-cluster/src/index.ts');
  const earlier = (await import(path)) as { startCluster: typeof startCluster };
  return earlier.startCluster({
    dataFolder,
    settings: SETTINGS,
    environment: { 'API of west': WEST_WRITES_PLAIN, 'replicator of west': WEST_WRITES_PLAIN },
  });
}

function run(cwd: string, command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { cwd, stdio: 'inherit' });
}

async function make(commit: string): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'tandem-kept-'));
  const checkout = join(scratch, 'checkout');
  const folder = join(scratch, 'kept');
  try {
    run(ROOT, 'git', 'worktree', 'add', '--detach', checkout, commit);
    run(checkout, process.execPath, 'scripts/pnpm.mjs', 'install', '--frozen-lockfile');
    const cluster = await startEarlier(checkout, join(folder, 'data'));
    const record = await writeAndStop(cluster);
    await rm(join(folder, 'data/logs'), { recursive: true });
    await writeFile(join(folder, 'customers.json'), JSON.stringify({ commit, ...record }));
    await mkdir(join(KEPT_DATA, '..'), { recursive: true });
    run(folder, 'tar', '--owner=0', '--group=0', '-czf', join(scratch, 'kept.tar.gz'), '.');
    await rename(join(scratch, 'kept.tar.gz'), KEPT_DATA);
  } finally {
    run(ROOT, 'git', 'worktree', 'remove', '--force', checkout);
    await rm(scratch, { recursive: true, force: true });
  }
}

const { commit } = new Command('make-kept-data')
  .requiredOption('--commit <commit>', 'whose build writes the data')
  .parse()
  .opts<{ commit: string }>();
await make(commit);
