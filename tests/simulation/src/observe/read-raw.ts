import { inflateSync } from 'node:zlib';
import type { FieldValue, Properties } from '@tandem/core';
import { type RawField, type RawState, type RawValue, vectorOf } from './raw-state.ts';

interface RawChange {
  readonly entityId: string;
  readonly operation: string;
  readonly state: RawState;
}

export interface RawChangeSet {
  readonly stamp: string;
  /** As it was written. */
  readonly text: string;
  readonly isWhole: boolean;
  readonly changes: readonly RawChange[];
}

interface JsonState {
  readonly fields: Record<string, readonly [string, RawValue]>;
  readonly alive?: string;
  readonly deleted?: string;
  readonly base?: string;
  readonly request?: string;
  readonly vector: readonly string[];
}

interface JsonSet {
  readonly stamp: string;
  readonly whole?: boolean;
  readonly changes: readonly {
    readonly entityId: string;
    readonly operation: string;
    readonly state: JsonState;
  }[];
}

interface JsonDeflated {
  readonly deflated: string;
}

/** The change set in the payload columns of an outbox or archive row. */
export function readRawChangeSet(properties: Properties): RawChangeSet {
  const parts: Uint8Array[] = [];
  for (let index = 0; ; index += 1) {
    const column = properties.get(`payload${index}`);
    if (column?.type !== 'Binary') break;
    parts.push(column.value);
  }
  return parseRawChangeSet(Buffer.concat(parts).toString('utf8'));
}

function parseRawChangeSet(text: string): RawChangeSet {
  const json = inflated(JSON.parse(text) as JsonSet | JsonDeflated);
  const { stamp } = json;
  return {
    stamp,
    text,
    isWhole: json.whole === true,
    changes: json.changes.map(({ entityId, operation, state }) => ({
      entityId,
      operation,
      state: {
        fields: new Map(
          Object.entries(state.fields).map(([name, [stamp, value]]) => [name, { stamp, value }]),
        ),
        alive: state.alive,
        deleted: state.deleted,
        base: state.base,
        request: state.request,
        vector: vectorOf(state.vector),
      },
    })),
  };
}

/** What a deflated set looks like is written down here once more, as in `spoilMessage`. */
function inflated(json: JsonSet | JsonDeflated): JsonSet {
  if (!('deflated' in json)) return json;
  return JSON.parse(inflateSync(Buffer.from(json.deflated, 'base64')).toString('utf8')) as JsonSet;
}

/** The row of an entity; undefined for one that nobody could read. */
export function readRawRow(properties: Properties): RawState | undefined {
  const vector = textOf(properties, '_vector');
  const stamps = textOf(properties, '_stamps');
  if (vector === undefined || stamps === undefined) return undefined;
  const fields = new Map<string, RawField>();
  for (const [stamp, names] of Object.entries(JSON.parse(stamps) as Record<string, string[]>)) {
    for (const name of names) fields.set(name, { stamp, value: toRaw(properties.get(name)) });
  }
  return {
    fields,
    alive: textOf(properties, '_alive'),
    deleted: textOf(properties, '_deleted'),
    base: textOf(properties, '_base'),
    vector: vectorOf(vector.split('.')),
  };
}

export function textOf(properties: Properties, name: string): string | undefined {
  const column = properties.get(name);
  return column?.type === 'String' ? column.value : undefined;
}

const HOW_IT_CAME = new Set(['referenceId', '_prepared']);

/** Every column but two, which tell how the row came to be here and are not of its state; sorted, as one text. */
export function describeColumns(properties: Properties): string {
  const columns = [...properties].filter(([name]) => !HOW_IT_CAME.has(name));
  const texts = columns.map(([name, value]) => JSON.stringify([name, toRaw(value)]));
  return `[${texts.sort().join()}]`;
}

export function toRaw(value: FieldValue | undefined): RawValue {
  if (value === undefined) return null;
  if (value.type === 'Binary') return ['Binary', Buffer.from(value.value).toString('base64')];
  if (value.type === 'Int64') return ['Int64', value.value.toString()];
  return [value.type, value.value];
}
