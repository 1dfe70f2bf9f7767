import { type FieldValue, type RowOperation, type TableStore, TransientError } from '@tandem/core';
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
  readonly after: string;
}

export interface WriteSettingOptions {
  readonly setting: string;
  readonly text: string;
  readonly by: string;
  readonly atMs: number;
  /** Its values are not kept in the history, only that it was changed. */
  readonly isSecret: boolean;
}

const SECRET = '(secret)';

/**
 * Sets a setting, and records it in the same transaction. Throws `WRITE_CONTENDED` when someone else set
 * it meanwhile.
 */
export async function writeSetting(
  store: TableStore,
  { setting, text, by, atMs, isSecret }: WriteSettingOptions,
): Promise<SettingChange> {
  const row = await store.get(CONFIGURATION_TABLE, PARTITION, setting);
  const current = row && (await readConfigurationRow(store, setting));
  const shown = (value: string): string => (isSecret ? SECRET : value);
  const before = current === undefined ? undefined : shown(current);
  const properties = new Map([['value', asText(text)]]);
  const write: RowOperation =
    row === undefined
      ? { kind: 'insert', rowKey: setting, properties }
      : { kind: 'replace', rowKey: setting, properties, etag: row.etag };
  for (let later = 0; later < SAME_TIME_MAX; later += 1) {
    const change: SettingChange = {
      setting,
      atMs: atMs + later,
      by,
      before,
      after: shown(text),
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

/** Oldest first; of all settings without a name. */
export async function readSettingHistory(
  store: TableStore,
  setting?: string,
): Promise<readonly SettingChange[]> {
  const prefix = setting === undefined ? HISTORY : `${HISTORY}${setting}~`;
  const changes: SettingChange[] = [];
  let continuation: string | undefined;
  do {
    const page = await store.query({
      table: CONFIGURATION_TABLE,
      partitions: PARTITION,
      rowsFrom: prefix,
      rowsBefore: `${prefix}~`,
      limit: PAGE_ROWS,
      ...(continuation === undefined ? {} : { continuation }),
    });
    for (const { rowKey, properties } of page.rows) {
      const [, , name = '', time = ''] = rowKey.split('~');
      changes.push({
        setting: name,
        atMs: Number(time),
        by: textOf(properties, 'by') ?? '',
        before: textOf(properties, 'before'),
        after: textOf(properties, 'after') ?? '',
      });
    }
    ({ continuation } = page);
  } while (continuation !== undefined);
  return changes.toSorted((a, b) => a.atMs - b.atMs);
}

function keyOf({ setting, atMs }: SettingChange): string {
  return `${HISTORY}${setting}~${String(Math.trunc(atMs)).padStart(TIME_DIGITS, '0')}`;
}

function columnsOf({ by, before, after }: SettingChange): ReadonlyMap<string, FieldValue> {
  return new Map([
    ['by', asText(by)],
    ['after', asText(after)],
    ...(before === undefined ? [] : [['before', asText(before)] as const]),
  ]);
}

function asText(value: string): FieldValue {
  return { type: 'String', value };
}
