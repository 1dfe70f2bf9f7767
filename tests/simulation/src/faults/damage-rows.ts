import { decodeConflict, type FieldValue, type Properties, type TableRow } from '@tandem/core';
import {
  ARCHIVE_TABLE,
  CONFIGURATION_TABLE,
  CONFLICTS_TABLE,
  createDamagedRows,
  createTableConflictJournal,
  REPLICATION_TABLE,
} from '@tandem/storage';
import { firstKeyOf } from '../observe/cut-sets.ts';
import { isPartitionOfTables } from '../tables/tables-ledger.ts';
import { OUTBOX_PREFIX, PARKED_PREFIX } from '../world/describe-transaction.ts';
import { gadgetKind, isClientsId } from '../world/gadget-kind.ts';
import type { Region, World } from '../world/world.ts';
import type { NemesisEvent } from './nemesis-kinds.ts';
import type { Undo } from './run-nemesis.ts';

/** The rows that were damaged in this run, which an operator puts back: what holds them is excused, what loses them is not. */
export interface Damages {
  /** By region and table, the keys, and when each was damaged or put back last, in true time. */
  readonly rows: Map<string, Map<string, number>>;
  /** Damaged rows that `tandem damaged-rows list` did not name. */
  readonly unnamed: string[];
}

const MARK = 'nobody can read this';
const PAGE_ROWS = 1_000;

interface Kind {
  readonly table: string;
  readonly isOne: (row: TableRow) => boolean;
  /** The column that is spoilt. */
  readonly column: string;
  readonly value: FieldValue;
  /** Named by the scan of damaged rows; others are mended by whoever writes them next. */
  readonly isNamed: boolean;
}

const text: FieldValue = { type: 'String', value: MARK };
const payload = {
  column: 'payload0',
  value: { type: 'Binary', value: Buffer.from(MARK) },
  isNamed: true,
} as const;
const isSystem = (rowKey: string): boolean => rowKey.startsWith('~');
/** A partition of the clients' entities, for whose kind the scan of damaged rows is asked. */
const isNamedOne = (partitionKey: string): boolean =>
  !isSystem(partitionKey) && !isPartitionOfTables(partitionKey);

const KINDS: readonly Kind[] = [
  { table: gadgetKind.name, isOne: ({ rowKey }) => rowKey.startsWith(OUTBOX_PREFIX), ...payload },
  { table: gadgetKind.name, isOne: ({ rowKey }) => rowKey.startsWith(PARKED_PREFIX), ...payload },
  {
    table: ARCHIVE_TABLE,
    isOne: ({ partitionKey, rowKey }) =>
      isNamedOne(partitionKey) && !(firstKeyOf(rowKey) ?? rowKey).includes('~'),
    ...payload,
  },
  { table: CONFLICTS_TABLE, isOne: ({ partitionKey }) => isNamedOne(partitionKey), ...payload },
  {
    table: gadgetKind.name,
    isOne: ({ rowKey }) => isClientsId(rowKey),
    column: '_vector',
    value: text,
    isNamed: true,
  },
  {
    table: REPLICATION_TABLE,
    isOne: ({ rowKey }) => rowKey === 'heartbeat',
    column: 'progress',
    value: text,
    isNamed: false,
  },
  {
    table: REPLICATION_TABLE,
    isOne: ({ rowKey }) => rowKey === 'sweep',
    column: 'untilMs',
    value: text,
    isNamed: false,
  },
  {
    table: CONFIGURATION_TABLE,
    isOne: ({ rowKey }) => !isSystem(rowKey),
    column: 'value',
    value: text,
    isNamed: false,
  },
];
/** Whether a row of the table with that key was ever damaged in the region; any at all when no key is named. */
export function wasDamaged(world: World, region: string, table: string, rowKey?: string): boolean {
  const rows = world.damages.rows.get(`${region} ${table}`);
  return rowKey === undefined ? (rows?.size ?? 0) > 0 : rows?.has(rowKey) === true;
}

/** Whether that row was damaged, or put back, in some region since. */
export function wasDamagedSince(
  { regions, damages }: World,
  { table, rowKey }: { readonly table: string; readonly rowKey: string },
  sinceMs: number,
): boolean {
  return regions.some(
    ({ name }) => (damages.rows.get(`${name} ${table}`)?.get(rowKey) ?? -1) >= sinceMs,
  );
}

/** One row becomes one that nobody can read, until an operator puts back what was in it. */
export function damageRow(event: NemesisEvent, world: World): Undo {
  const region = world.regions[event.target % world.regions.length];
  const kind = KINDS[Math.floor(event.amount * KINDS.length)];
  if (region === undefined || kind === undefined) return undefined;
  const done = spoil(region, kind, { event, world });
  return () => {
    done
      .then((spoilt) => spoilt && mend(region, kind, { spoilt, world }))
      .catch((error: unknown) => world.reportBug(undefined, error));
  };
}

async function spoil(
  { name, account }: Region,
  kind: Kind,
  { event, world }: { readonly event: NemesisEvent; readonly world: World },
): Promise<TableRow | undefined> {
  const range = { table: kind.table, partitions: { from: '', before: '\uffff' }, limit: PAGE_ROWS };
  // One that is spoilt already is another's to put back.
  const rows = (await account.store.query(range)).rows.filter(
    (row) => kind.isOne(row) && !isSpoilt(row.properties, kind),
  );
  if (rows.length === 0) return undefined;
  const row = world.draw.pick(`${event.id}.row`, rows);
  noteDamage(world, { region: name, table: kind.table, rowKey: row.rowKey });
  await account.rewrite(kind.table, row, new Map([...row.properties, [kind.column, kind.value]]));
  world.trace.note(
    `${event.id} damages ${kind.table}/${row.partitionKey}/${row.rowKey} of ${name}`,
  );
  if (kind.table === CONFIGURATION_TABLE) account.misconfigured += 1;
  return row;
}

/** What was written over it since stays. */
async function mend(
  { name, account }: Region,
  kind: Kind,
  { spoilt, world }: { readonly spoilt: TableRow; readonly world: World },
): Promise<void> {
  const { partitionKey, rowKey, properties } = spoilt;
  if (kind.table === CONFIGURATION_TABLE) account.misconfigured -= 1;
  const now = await account.store.get(kind.table, partitionKey, rowKey);
  if (now === undefined || !isSpoilt(now.properties, kind)) {
    if (kind.table === CONFLICTS_TABLE && now !== undefined)
      await mendConflict({ account }, spoilt, world);
    return;
  }
  if (kind.isNamed) await checkNamed(world, name, spoilt, kind);
  noteDamage(world, { region: name, table: kind.table, rowKey });
  // The other columns may say by now that a set which was prepared then is committed.
  const mended = new Map(now.properties);
  mended.delete(kind.column);
  const original = properties.get(kind.column);
  if (original !== undefined) mended.set(kind.column, original);
  await account.rewrite(kind.table, now, mended);
}

function noteDamage(
  { damages, scheduler }: World,
  { region, table, rowKey }: { region: string; table: string; rowKey: string },
): void {
  const key = `${region} ${table}`;
  damages.rows.set(key, (damages.rows.get(key) ?? new Map()).set(rowKey, scheduler.nowMs()));
}

function isSpoilt(properties: Properties, { column, value }: Kind): boolean {
  const own = properties.get(column);
  return own !== undefined && String(own.value) === String(value.value);
}

async function checkNamed(
  { plan, regionNamed, damages }: World,
  name: string,
  { partitionKey, rowKey }: TableRow,
  { table }: Kind,
): Promise<void> {
  const { store } = regionNamed(name).account;
  const peers = plan.regions.filter((one) => one !== name);
  const rows = createDamagedRows({ store, kind: gadgetKind, bucketCount: plan.bucketCount, peers });
  for await (const found of rows.scan()) {
    // A set of several rows is named by its first one.
    const isIt = found.table === table && [rowKey, firstKeyOf(rowKey)].includes(found.rowKey);
    if (isIt && found.partitionKey === partitionKey && found.state === 'damaged') return;
  }
  damages.unnamed.push(`${table}/${partitionKey}/${rowKey} in ${name}`);
}

/** A conflict that was recorded anew meanwhile may lack what the damaged row told: the operator records it too. */
async function mendConflict(
  { account }: Pick<Region, 'account'>,
  { partitionKey, rowKey, properties }: TableRow,
  { plan }: World,
): Promise<void> {
  const { store } = account;
  const { bucketCount } = plan;
  const original = properties.get('payload0')?.value;
  if (original instanceof Uint8Array) {
    const journal = createTableConflictJournal({ store, kinds: [gadgetKind], bucketCount });
    await journal.accept([decodeConflict(original)]);
  }
  const aside = { table: CONFLICTS_TABLE, partitionKey, rowKey: `!${rowKey}` };
  if ((await store.get(aside.table, partitionKey, aside.rowKey)) === undefined) return;
  await createDamagedRows({ store, kind: gadgetKind, bucketCount, peers: [] }).discard(aside);
}
