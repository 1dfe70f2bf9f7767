import { type FieldValue, type Properties, pagesOf, type TableStore } from '@tandem/core';

export const CONFIGURATION_TABLE = 'Configuration';
const PARTITION = 'Configuration';
const COLUMN = 'value';
const PAGE_ROWS = 1_000;

/** Reads the texts by name. */
export async function readConfigurationRows(
  store: TableStore,
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  // Above the settings lies their history.
  const bounds = { partitions: PARTITION, rowsBefore: '~' };
  const range = { table: CONFIGURATION_TABLE, ...bounds, limit: PAGE_ROWS };
  for await (const { rows } of pagesOf((from) => store.query({ ...range, ...from }))) {
    for (const row of rows) texts.set(row.rowKey, configurationTextOf(row.properties));
  }
  return texts;
}

/** Reads the text of one name; undefined when there is no row. */
export async function readConfigurationRow(
  store: TableStore,
  name: string,
): Promise<string | undefined> {
  const row = await store.get(CONFIGURATION_TABLE, PARTITION, name);
  return row === undefined ? undefined : configurationTextOf(row.properties);
}

/** Writes a row, and returns false when there is one already, which stays as it is. */
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

/**
 * Reads the column as a text: a person may have given it another type, and what counts is how it
 * reads.
 */
export function configurationTextOf(properties: Properties): string {
  const value = properties.get(COLUMN)?.value ?? '';
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);
}
