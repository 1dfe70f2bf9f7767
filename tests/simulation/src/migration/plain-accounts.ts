// The accounts of plain tables beside the regions: the old one, and those that the table is returned to.
import type { FieldValue, TableStore } from '@tandem/core';
import type { OpenSource } from '@tandem/region/testing';
import type { ProcessContext } from '../processes/process-context.ts';
import { createTablePort } from '../processes/table-port.ts';
import { type Account, createAccount } from '../world/account.ts';
import { PLAIN_TABLE } from '../world/describe-transaction.ts';
import type { World } from '../world/world.ts';
import { OLD_KEYS, PARTITIONS, type SeenRow, textsOf } from './run-plain-client.ts';

/** One has the old table, the others are what it is returned to. */
export const OLD_ACCOUNT = 'shop';
export const MIRROR_ACCOUNTS = ['plain0', 'plain1', 'plain2'] as const;
const ACCOUNTS = [OLD_ACCOUNT, ...MIRROR_ACCOUNTS];

const ADDRESS = 'https://';
const OUTAGE_MS: readonly [number, number] = [500, 12_000];
const OUTAGES_MAX = 3;

export type PlainAccounts = ReadonlyMap<string, Account>;

/** As the setting of every region has them. */
export function sourcesText(): string {
  return JSON.stringify(
    ACCOUNTS.map((name) => ({ name, connection: `${ADDRESS}${name}.example` })),
  );
}

export function createPlainAccounts({ scheduler }: World): PlainAccounts {
  return new Map(ACCOUNTS.map((name) => [name, createPlainAccount(() => scheduler.nowMs())]));
}

/** As Azure Table Storage keeps one: its ETags tell when a row was written. Nobody else writes there. */
function createPlainAccount(nowMs: () => number): Account {
  const account = createAccount(nowMs, { isTagged: true });
  return Object.assign(account, { touch: async () => undefined });
}

/** Every type, so that it shows what becomes of each. */
const VALUES: readonly (readonly [name: string, value: FieldValue])[] = [
  ['big', { type: 'Int64', value: 9_007_199_254_740_993n }],
  ['at', { type: 'DateTime', value: '2026-01-01T00:00:00.1234567Z' }],
  ['who', { type: 'Guid', value: '0b0f7f0c-3b4e-4a8e-9a57-2a4f6a0f9d11' }],
  ['bytes', { type: 'Binary', value: new Uint8Array([0, 1, 255]) }],
  ['ratio', { type: 'Double', value: 0.1 }],
  ['is', { type: 'Boolean', value: true }],
];

export async function fillOld(
  accounts: PlainAccounts,
  { draw }: World,
): Promise<readonly SeenRow[]> {
  const rows: SeenRow[] = [];
  const old = accounts.get(OLD_ACCOUNT)?.store;
  await old?.createTable(PLAIN_TABLE);
  for (const { partitionKey } of PARTITIONS) {
    for (const rowKey of OLD_KEYS) {
      const rank = draw.integer(`old.${partitionKey}.${rowKey}`, [0, 99]);
      const properties = new Map<string, FieldValue>([
        ['mark', { type: 'String', value: `old ${partitionKey} ${rowKey}` }],
        ['rank', { type: 'Int32', value: rank }],
        ...VALUES,
      ]);
      const operations = [{ kind: 'insert' as const, rowKey, properties }];
      const outcome = await old?.commit({ table: PLAIN_TABLE, partitionKey, operations });
      const [etag = ''] = outcome?.kind === 'committed' ? outcome.etags : [];
      rows.push({ partitionKey, rowKey, values: textsOf(properties), etag });
    }
  }
  return rows;
}

/** Opens accounts as a process does that has their addresses. */
export function openPlain(
  accounts: PlainAccounts,
  { incarnation, world }: ProcessContext,
  part: string,
): OpenSource {
  const { draw, plan, scheduler } = world;
  return (connection, timeoutMs): TableStore => {
    const name = connection.slice(ADDRESS.length).split('.')[0] ?? '';
    const account = accounts.get(name);
    if (account === undefined) throw new Error(`There is no account ${connection}.`);
    const pageMax = plan.migration?.pageMax ?? 1;
    // What a caller has given up arrives no more: docs/migrate.md tells what is found out of what does.
    const within = timeoutMs === undefined ? undefined : { ms: timeoutMs, nowMs: scheduler.nowMs };
    // Who is not to write any more has long asked whether he may.
    const isForwarded = part === 'forward' && within !== undefined;
    const extraMs = isForwarded ? drawWays(incarnation, world) : undefined;
    return createTablePort({ incarnation, account, draw, part, pageMax, within, extraMs });
  };
}

function drawWays({ slot }: ProcessContext['incarnation'], { draw, plan }: World): () => number {
  const id = `${slot.name}.${slot.starts}.forward`;
  let ways = 0;
  return () => draw.integer(`${id}${(ways += 1)}`, [0, plan.migration?.forwardMsMax ?? 0]);
}

/** Lets each be down for a while, now and then. */
export function startOutages(accounts: PlainAccounts, world: World, beforeMs: number): void {
  const { draw, scheduler, faults } = world;
  for (const [name, account] of accounts) {
    const count = draw.integer(`${name}.outages`, [0, OUTAGES_MAX]);
    for (let index = 0; index < count; index += 1) {
      const id = `${name}.outage${index}`;
      const atMs = draw.integer(`${id}.at`, [scheduler.nowMs(), beforeMs]);
      scheduler.schedule(atMs - scheduler.nowMs(), () => {
        if (!faults.admits(id, 'store-down')) return;
        account.outages += 1;
        const durationMs = Math.min(
          draw.integer(`${id}.duration`, OUTAGE_MS),
          beforeMs - scheduler.nowMs(),
        );
        scheduler.schedule(durationMs, () => void (account.outages -= 1));
      });
    }
  }
}
