/**
 * Rows of a table in files. CSV is as Storage Explorer exports it, with the type of each property in a column beside it
 * (`age`, `age@type`), in the names of the service (`Edm.Int32`) or without `Edm.`; or as AzCopy 7.3 exports it, with one
 * type for each column in a second file. NDJSON is a row as the service writes it, a line each.
 */
import { createReadStream } from 'node:fs';
import type { EdmType, FieldValue, OpenKey, Properties } from '@tandem/core';
import {
  checkKey,
  checkProperties,
  decodeEntity,
  decodeTypedText,
  encodeEntityLine,
  TableError,
  typedTextOf,
} from '@tandem/table-protocol';
import { UsageError } from '../exit-codes.ts';
import { type CsvField, type CsvRecord, csvLine, readCsv } from './csv.ts';

export const FILE_FORMATS = ['csv', 'ndjson'] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

/** A row with its public time where its source tells it. */
export interface TransferRow extends OpenKey {
  readonly values: Properties;
  readonly timestamp?: string | undefined;
}

/** What a source has at one place: a row, or why there is none. */
export type SourceRow =
  | { readonly kind: 'row'; readonly place: string; readonly row: TransferRow }
  | {
      readonly kind: 'refused';
      /** Names the place as people find it: `line 7`. */
      readonly place: string;
      readonly key?: OpenKey | undefined;
      /** Is a whole sentence, without a value of the row. */
      readonly reason: string;
    };

/** An entity of 1 MiB may take six characters for each of its own in JSON. */
const RECORD_UNITS_MAX = 8 * 1_048_576;
/** Two columns for each property, and the three of the system. */
const FIELDS_MAX = 20_000;
const CSV_BOUNDS = { unitsMax: RECORD_UNITS_MAX, fieldsMax: FIELDS_MAX };

export interface FileSource {
  readonly path: string;
  readonly format: FileFormat;
  /** Is AzCopy's second file; only CSV has one. */
  readonly schemaPath?: string | undefined;
}

/** Yields what is in the file, in its order. Throws `UsageError` where it cannot be read, or has no columns of keys. */
export async function* readRowFile({
  path,
  format,
  schemaPath,
}: FileSource): AsyncGenerator<SourceRow> {
  if (format === 'ndjson') yield* readNdjson(textOf(path));
  else yield* readCsvRows(path, await readSchema(schemaPath));
}

async function* textOf(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    for await (const chunk of createReadStream(path)) {
      yield decoder.decode(chunk as Buffer, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`${path} is not UTF-8: save it so.`);
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UsageError(`${path} cannot be read: ${code}.`);
  }
}

async function* readNdjson(chunks: AsyncIterable<string>): AsyncGenerator<SourceRow> {
  let line = 0;
  let rest = '';
  let isTooLong = false;
  const read = (text: string): SourceRow[] => {
    line += 1;
    const place = `line ${line}`;
    if (isTooLong) {
      isTooLong = false;
      const reason = `It has more than ${RECORD_UNITS_MAX} characters.`;
      return [{ kind: 'refused', place, reason }];
    }
    const json = line === 1 ? text.replace(/^\uFEFF/, '') : text;
    return json.trim() === '' ? [] : [readJsonRow(json, place)];
  };
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const one of lines) yield* read(one);
    if (rest.length > RECORD_UNITS_MAX) {
      isTooLong = true;
      rest = '';
    }
  }
  if (rest !== '' || isTooLong) yield* read(rest);
}

function readJsonRow(json: string, place: string): SourceRow {
  return withReason(place, undefined, () => {
    const { partitionKey, rowKey, properties } = decodeEntity(json);
    if (partitionKey === undefined || rowKey === undefined)
      return 'It has no PartitionKey and RowKey.';
    return { partitionKey, rowKey, values: properties };
  });
}

/** Turns what the service would refuse into a reason. */
function withReason(
  place: string,
  key: OpenKey | undefined,
  read: () => TransferRow | string,
): SourceRow {
  try {
    const row = read();
    if (typeof row !== 'string') return { kind: 'row', place, row };
    return { kind: 'refused', place, key, reason: row };
  } catch (error) {
    if (!(error instanceof TableError)) throw error;
    return { kind: 'refused', place, key, reason: `${error.code}: ${error.message}` };
  }
}

type Schema = ReadonlyMap<string, EdmType>;

/** Returns the type of each column: the file has their names, and their types beneath. */
async function readSchema(path: string | undefined): Promise<Schema> {
  if (path === undefined) return new Map();
  const records: CsvField[][] = [];
  for await (const record of readCsv(textOf(path), CSV_BOUNDS)) {
    if (record.kind === 'faulty') throw new UsageError(`${path} is no CSV: it ${record.problem}.`);
    records.push([...record.fields]);
    if (records.length > 2) break;
  }
  const [names, types] = records;
  if (names === undefined || types === undefined || records.length > 2) {
    throw new UsageError(
      `${path} is no file of types: it has one line of names, and one of types.`,
    );
  }
  return new Map(
    names.map(({ text }, index) => {
      const type = readType(types[index]?.text ?? '');
      if (type !== undefined) return [text, type];
      throw new UsageError(`${path} gives the column "${text}" no type that the service has.`);
    }),
  );
}

const EDM_TYPES: ReadonlySet<string> = new Set<EdmType>([
  'String',
  'Boolean',
  'Int32',
  'Int64',
  'Double',
  'DateTime',
  'Guid',
  'Binary',
]);

function readType(text: string): EdmType | undefined {
  const name = text.trim().replace(/^Edm\./, '');
  if (name === 'DateTimeOffset') return 'DateTime';
  return EDM_TYPES.has(name) ? (name as EdmType) : undefined;
}

const TYPE_COLUMN = /^(.+?) ?@type$/;
const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(['PartitionKey', 'RowKey', 'Timestamp']);

interface Column {
  readonly name: string;
  readonly at: number;
  /** Where its type is told; undefined where one holds for all rows. */
  readonly typeAt: number | undefined;
  readonly type: EdmType | undefined;
}

async function* readCsvRows(path: string, schema: Schema): AsyncGenerator<SourceRow> {
  let columns: readonly Column[] | undefined;
  let number = 0;
  for await (const record of readCsv(textOf(path), CSV_BOUNDS)) {
    number += 1;
    const place = `record ${number}`;
    if (columns === undefined) {
      columns = readHeader(record, path, schema);
      continue;
    }
    if (record.kind === 'faulty') {
      yield { kind: 'refused', place, reason: `It ${record.problem}.` };
    } else yield readCsvRow(record.fields, place, columns);
  }
  if (columns === undefined)
    throw new UsageError(`${path} is empty: a CSV begins with its columns.`);
}

function readHeader(record: CsvRecord, path: string, schema: Schema): readonly Column[] {
  if (record.kind === 'faulty') {
    throw new UsageError(`The first line of ${path} names no columns: it ${record.problem}.`);
  }
  const names = record.fields.map(({ text }) => text);
  const repeated = names.find((name, index) => names.indexOf(name) < index);
  if (repeated !== undefined) throw new UsageError(`${path} has the column "${repeated}" twice.`);
  const typeAt = new Map(
    names.flatMap((name, index): [string, number][] => {
      const [, of] = TYPE_COLUMN.exec(name) ?? [];
      return of === undefined || !names.includes(of) ? [] : [[of, index]];
    }),
  );
  const isType = new Set(typeAt.values());
  const missing = ['PartitionKey', 'RowKey'].find((name) => !names.includes(name));
  if (missing !== undefined) throw new UsageError(`${path} has no column ${missing}.`);
  return names.flatMap((name, at): Column[] =>
    isType.has(at) ? [] : [{ name, at, typeAt: typeAt.get(name), type: schema.get(name) }],
  );
}

function readCsvRow(
  fields: readonly CsvField[],
  place: string,
  columns: readonly Column[],
): SourceRow {
  const keyOf = (name: string): string =>
    fields[columns.find((column) => column.name === name)?.at ?? -1]?.text ?? '';
  const key = { partitionKey: keyOf('PartitionKey'), rowKey: keyOf('RowKey') };
  const widthMax = Math.max(...columns.map(({ at, typeAt = at }) => Math.max(at, typeAt))) + 1;
  return withReason(place, key, () => {
    if (fields.length > widthMax) return `It has ${fields.length} fields for ${widthMax} columns.`;
    checkKey('PartitionKey', key.partitionKey);
    checkKey('RowKey', key.rowKey);
    const values = new Map<string, FieldValue>();
    for (const column of columns) {
      if (SYSTEM_COLUMNS.has(column.name)) continue;
      const value = readField(column, fields);
      if (typeof value === 'string') return value;
      if (value !== undefined) values.set(column.name, value);
    }
    checkProperties(values);
    return { ...key, values };
  });
}

/** Returns undefined for a property that the row does not have, and a text that says what is wrong with it. */
function readField(
  { name, at, typeAt, type: given }: Column,
  fields: readonly CsvField[],
): FieldValue | string | undefined {
  const { text, isQuoted } = fields[at] ?? NO_FIELD;
  const told = typeAt === undefined ? undefined : (fields[typeAt]?.text ?? '');
  if (text === '' && !isQuoted && (told === undefined || told === '')) return undefined;
  const type = told === undefined || told === '' ? (given ?? 'String') : readType(told);
  if (type === undefined) return `Property "${name}" has a type that the service does not have.`;
  // Some exports write nothing at all for an empty text, and its type beside it.
  const value = decodeTypedText(type, text);
  return value ?? `Property "${name}" holds no Edm.${type}.`;
}

const NO_FIELD: CsvField = { text: '', isQuoted: false };

/** Writes rows as lines of a file. */
export interface RowWriter {
  readonly head: string;
  lineOf(row: TransferRow): string;
}

/** `names` are those of all properties that the rows have; only a CSV must know them beforehand. */
export function createRowWriter(format: FileFormat, names: readonly string[]): RowWriter {
  if (format === 'ndjson') {
    return {
      head: '',
      lineOf: ({ values, timestamp, ...key }) =>
        `${encodeEntityLine({ ...key, timestamp, properties: values })}\n`,
    };
  }
  const columns = names.flatMap((name) => [name, `${name}@type`]);
  return {
    head: csvLine(['PartitionKey', 'RowKey', 'Timestamp', ...columns]),
    lineOf: ({ partitionKey, rowKey, values, timestamp }) =>
      csvLine([
        partitionKey,
        rowKey,
        timestamp,
        ...names.flatMap((name) => {
          const value = values.get(name);
          return value === undefined ? [undefined, undefined] : [typedTextOf(value), value.type];
        }),
      ]),
  };
}
