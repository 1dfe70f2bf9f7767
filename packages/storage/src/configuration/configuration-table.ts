import type { FieldValue, Properties, TableStore } from '@tandem/core';

export const CONFIGURATION_TABLE = 'Configuration';
const PARTITION = 'Configuration';
const COLUMN = 'value';
const PAGE_ROWS = 1_000;
/** Far above any number of settings; it only keeps the loop bounded. */
const PAGES_MAX = 10;

/** The texts by name. */
export async function readConfigurationRows(
  store: TableStore,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  // Above the settings lies their history.
  const bounds = { partitions: PARTITION, rowsBefore: '~' };
  const range = { table: CONFIGURATION_TABLE, ...bounds, limit: PAGE_ROWS };
  let continuation: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const more = continuation === undefined ? {} : { continuation };
    const result = await store.query({ ...range, ...more });
    for (const row of result.rows) texts.set(row.rowKey, textOf(row.properties));
    ({ continuation } = result);
    if (continuation === undefined) break;
  }
  return texts;
}

/** Undefined when there is no row. */
export async function readConfigurationRow(
  store: TableStore,
  name: string,
): Promise<string | undefined> {
  const row = await store.get(CONFIGURATION_TABLE, PARTITION, name);
  return row === undefined ? undefined : textOf(row.properties);
}

/** False when there is one already, which stays as it is. */
export async function insertConfigurationRow(
  store: TableStore,
  name: string,
  text: string,
): Promise<boolean> {
  const value: FieldValue = { type: 'String', value: text };
  const properties: Properties = new Map([[COLUMN, value]]);
  const operations = [{ kind: 'insert', rowKey: name, properties } as const];
  const outcome = await store.commit({
    table: CONFIGURATION_TABLE,
    partitionKey: PARTITION,
    operations,
  });
  return outcome.kind === 'committed';
}

/** A person may have given the column another type than String: what counts is how it reads. */
function textOf(properties: Properties): string {
  const value = properties.get(COLUMN)?.value ?? '';
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);
}
