import {
  type FieldValue,
  pagesOf,
  type RowOperation,
  type TableStore,
  TransientError,
} from '@tandem/core';
import { textOf } from '../rows/entity-row.ts';
import { CONFIGURATION_TABLE, readConfigurationRow } from './configuration-table.ts';

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

export interface WriteSettingOptions {
  readonly setting: string;
  /** Undefined to take it away, so that its default counts. */
  readonly text: string | undefined;
  readonly by: string;
  readonly atMs: number;
  /** Its values are not kept in the history, only that it was changed. */
  readonly isSecret: boolean;
}

const SECRET = '(secret)';

/**
 * Sets a setting, or takes it away, and records it in the same transaction. Undefined when there is none to take
 * away. Throws `WRITE_CONTENDED` when someone else set
 * it meanwhile.
 */
export async function writeSetting(
  store: TableStore,
  { setting, text, by, atMs, isSecret }: WriteSettingOptions,
): Promise<SettingChange | undefined> {
  const row = await store.get(CONFIGURATION_TABLE, PARTITION, setting);
  const current = row && (await readConfigurationRow(store, setting));
  const shown = (value: string): string => (isSecret ? SECRET : value);
  const before = current === undefined ? undefined : shown(current);
  if (text === undefined && row === undefined) return undefined;
  const write = writeOf(setting, text, row?.etag);
  for (let later = 0; later < SAME_TIME_MAX; later += 1) {
    const change: SettingChange = {
      setting,
      atMs: atMs + later,
      by,
      before,
      after: text === undefined ? undefined : shown(text),
    };
    const record: RowOperation = {
      kind: 'insert',
      rowKey: keyOf(change),
      properties: columnsOf(change),
    };
    const outcome = await store.commit({
      table: CONFIGURATION_TABLE,
      partitionKey: PARTITION,
      operations: [write, record],
    });
    if (outcome.kind === 'committed') return change;
    // Only the record is in the way: it was set in this very millisecond before.
    if (outcome.index === 0) break;
  }
  throw new TransientError('WRITE_CONTENDED', `${setting} was set by someone else just now.`);
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
