import {
  assert,
  type FieldValue,
  pagesOf,
  type RowOperation,
  type TableStore,
  TransientError,
} from '@tandem/core';
import { textOf } from '../rows/entity-row.ts';
import { CONFIGURATION_TABLE, configurationTextOf } from './configuration-table.ts';

const PARTITION = 'Configuration';
/** Above every name of a setting, so that settings are read without their history. */
const HISTORY = '~h~';
const PAGE_ROWS = 1_000;
const TIME_DIGITS = 15;
const SAME_TIME_MAX = 100;

export interface SettingChange {
  readonly setting: string;
  readonly atMs: number;
  readonly by: string;
  /** Undefined where there was none. */
  readonly before: string | undefined;
  /** Undefined where it was taken away. */
  readonly after: string | undefined;
}

/** What a setting is to be. */
export interface SettingWrite {
  readonly setting: string;
  /** Undefined to take it away, so that its default counts. */
  readonly text: string | undefined;
  /** Its values are not kept in the history, only that it was changed. */
  readonly isSecret: boolean;
}

/** Who changes settings, and when. */
export interface SettingAuthor {
  readonly by: string;
  readonly atMs: number;
  /**
   * The texts by name that what is to be written was decided by. With them nothing is written once one of the settings is
   * another, and one that is to be as it is already is held so, without a record: of two releases at once one wins whole.
   */
  readonly decidedBy?: ReadonlyMap<string, string>;
}

const SECRET = '(secret)';
/** Each is two operations of one transaction, which takes a hundred. */
const WRITTEN_TOGETHER_MAX = 49;

/**
 * Sets settings, or takes them away, all or none of them, and records each in the same transaction: no process starts with some
 * of what belongs together. What is to be taken away and is not there is left out of the answer. Throws `WRITE_CONTENDED` when
 * someone else set one of them meanwhile.
 */
export async function writeSettings(
  store: TableStore,
  writes: readonly SettingWrite[],
  { by, atMs, decidedBy }: SettingAuthor,
): Promise<readonly SettingChange[]> {
  assert(writes.length <= WRITTEN_TOGETHER_MAX, 'more settings than one transaction takes');
  const rows = await Promise.all(
    writes.map(async (write) => {
      const row = await store.get(CONFIGURATION_TABLE, PARTITION, write.setting);
      return { ...write, row };
    }),
  );
  const isOther = rows.some(
    ({ setting, row }) =>
      decidedBy !== undefined &&
      decidedBy.get(setting) !== (row && configurationTextOf(row.properties)),
  );
  if (isOther) throw contended(writes);
  const touched = rows.filter(({ text, row }) => text !== undefined || row !== undefined);
  const asked = touched.filter(({ setting, text }) => {
    return text === undefined || decidedBy?.get(setting) !== text;
  });
  if (asked.length === 0) return [];
  const operations = touched.map(({ setting, text, row }) => writeOf(setting, text, row?.etag));
  for (let later = 0; later < SAME_TIME_MAX; later += 1) {
    const changes = asked.map(({ setting, text, isSecret, row }): SettingChange => {
      const shown = (value: string): string => (isSecret ? SECRET : value);
      return {
        setting,
        atMs: atMs + later,
        by,
        before: row && shown(configurationTextOf(row.properties)),
        after: text === undefined ? undefined : shown(text),
      };
    });
    const records = changes.map(
      (change): RowOperation => ({
        kind: 'insert',
        rowKey: keyOf(change),
        properties: columnsOf(change),
      }),
    );
    const outcome = await store.commit({
      table: CONFIGURATION_TABLE,
      partitionKey: PARTITION,
      operations: [...operations, ...records],
    });
    if (outcome.kind === 'committed') return changes;
    // Only a record is in the way: the setting was set in this very millisecond before.
    if (outcome.index < operations.length) break;
  }
  throw contended(asked);
}

function contended(writes: readonly SettingWrite[]): TransientError {
  const names = writes.map(({ setting }) => setting).join(', ');
  return new TransientError(
    'WRITE_CONTENDED',
    `${names}: set by someone else just now, so nothing was written. Run it again.`,
  );
}

/** Sets one setting, as `writeSettings` does. Undefined when there is none to take away. */
export async function writeSetting(
  store: TableStore,
  { by, atMs, ...write }: SettingWrite & SettingAuthor,
): Promise<SettingChange | undefined> {
  const [change] = await writeSettings(store, [write], { by, atMs });
  return change;
}

/** Reads what was changed of a setting, or of all, oldest first. */
export async function readSettingHistory(
  store: TableStore,
  setting?: string,
): Promise<readonly SettingChange[]> {
  const prefix = setting === undefined ? HISTORY : `${HISTORY}${setting}~`;
  const changes: SettingChange[] = [];
  const keys = { rowsFrom: prefix, rowsBefore: `${prefix}~` };
  const range = { table: CONFIGURATION_TABLE, partitions: PARTITION, ...keys, limit: PAGE_ROWS };
  for await (const page of pagesOf((from) => store.query({ ...range, ...from }))) {
    for (const { rowKey, properties } of page.rows) {
      const [, , name = '', time = ''] = rowKey.split('~');
      changes.push({
        setting: name,
        atMs: Number(time),
        by: textOf(properties, 'by') ?? '',
        before: textOf(properties, 'before'),
        after: textOf(properties, 'after'),
      });
    }
  }
  return changes.toSorted((a, b) => a.atMs - b.atMs);
}

/**
 * Makes the operation, under the ETag of the row that was read: what someone else set meanwhile
 * stays.
 */
function writeOf(
  setting: string,
  text: string | undefined,
  etag: string | undefined,
): RowOperation {
  const properties = new Map([['value', asText(text ?? '')]]);
  if (etag === undefined) return { kind: 'insert', rowKey: setting, properties };
  if (text === undefined) return { kind: 'delete', rowKey: setting, etag };
  return { kind: 'replace', rowKey: setting, properties, etag };
}

function keyOf({ setting, atMs }: SettingChange): string {
  return `${HISTORY}${setting}~${String(Math.trunc(atMs)).padStart(TIME_DIGITS, '0')}`;
}

function columnsOf({ by, before, after }: SettingChange): ReadonlyMap<string, FieldValue> {
  return new Map([
    ['by', asText(by)],
    ...(after === undefined ? [] : [['after', asText(after)] as const]),
    ...(before === undefined ? [] : [['before', asText(before)] as const]),
  ]);
}

function asText(value: string): FieldValue {
  return { type: 'String', value };
}
