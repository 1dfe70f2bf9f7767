import { AppError } from '../errors.ts';
import type { Replica, StoredRow } from '../ports/replica.ts';
import { type EntityState, isAlive, type StoredState, stampsOf } from '../state/entity-state.ts';
import { mergeStates } from '../state/merge.ts';
import { encodeVector, hasSeen } from '../state/version-vector.ts';
import { type Stamp, stampTimeMs } from '../time/stamp.ts';
import { type EncodedFieldValue, encodeFieldValue } from '../values/field-value.ts';

/** By region: undefined where there is no row. */
export type StatesByRegion = ReadonlyMap<string, EntityState | undefined>;

interface DifferingField {
  readonly name: string;
  /** By region; undefined where the row has no such field. */
  readonly values: Readonly<
    Record<string, { readonly stamp: Stamp; readonly value: EncodedFieldValue } | undefined>
  >;
}

/** One entity whose rows are not the same in all regions. */
export interface Difference {
  readonly bucket: string;
  readonly entityId: string;
  readonly regions: Readonly<
    Record<string, { readonly life: 'alive' | 'deleted' | 'absent'; readonly version: string }>
  >;
  /** The regions whose row is not the join of all of them: what a repair writes. */
  readonly behind: readonly string[];
  /** Those that are not the same everywhere they are. */
  readonly fields: readonly DifferingField[];
}

export function describeDifference(
  bucket: string,
  entityId: string,
  states: StatesByRegion,
): Difference {
  const names = new Set([...states.values()].flatMap((state) => [...(state?.fields.keys() ?? [])]));
  const regions = [...states].map(([region, state]) => [
    region,
    {
      life: lifeOf(state),
      version: state === undefined ? '' : encodeVector(state.vector),
    } as const,
  ]);
  return {
    bucket,
    entityId,
    regions: Object.fromEntries(regions),
    behind: regionsBehind(states),
    fields: [...names].toSorted().flatMap((name) => {
      const field = describeField(name, states);
      return field === undefined ? [] : [field];
    }),
  };
}

function regionsBehind(states: StatesByRegion): string[] {
  let joined: EntityState | undefined;
  for (const state of states.values()) {
    if (state !== undefined) joined = joined === undefined ? state : mergeStates(joined, state);
  }
  return [...states].flatMap(([region, state]) => (isSameState(state, joined) ? [] : [region]));
}

function describeField(name: string, states: StatesByRegion): DifferingField | undefined {
  const values = [...states].map(([region, state]) => {
    const field = state?.fields.get(name);
    const value = field && { stamp: field.stamp, value: encodeFieldValue(field.value) };
    return [region, value] as const;
  });
  const texts = new Set(values.map(([, value]) => JSON.stringify(value ?? null)));
  return texts.size > 1 ? { name, values: Object.fromEntries(values) } : undefined;
}

function lifeOf(state: EntityState | undefined): 'alive' | 'deleted' | 'absent' {
  if (state === undefined) return 'absent';
  return isAlive(state) ? 'alive' : 'deleted';
}

/** Returns one text for one state, the same in every region: what digests are made of and rows compared by. */
export function stateText(state: EntityState): string {
  const fields = [...state.fields]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { stamp, value }]) => [name, stamp, encodeFieldValue(value)]);
  return JSON.stringify([
    fields,
    state.alive ?? null,
    state.deleted ?? null,
    encodeVector(state.vector),
    // Left out where there is none: an older build says the same of the same row.
    ...(state.base === undefined && state.request === undefined ? [] : [state.base ?? null]),
    ...(state.request === undefined ? [] : [state.request]),
  ]);
}

export function isSameState(a: EntityState | undefined, b: EntityState | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return stateText(a) === stateText(b);
}

/**
 * What tells how an entity was at a time: its row, when it was not written since; the archive, when it
 * has every write of before that the row shows; else nothing does.
 */
export function proofOf(
  row: StoredRow | undefined,
  found: StoredState | undefined,
  beforeMs: number,
): 'row' | 'archive' | 'none' {
  if (row === undefined) return 'archive';
  const { state } = row;
  const isOlder = (stamp: Stamp): boolean => stampTimeMs(stamp) < beforeMs;
  if ([...state.vector.values()].every(isOlder)) return 'row';
  const vector = found?.state.vector ?? new Map<string, Stamp>();
  return [...stampsOf(state)].filter(isOlder).every((stamp) => hasSeen(vector, stamp))
    ? 'archive'
    : 'none';
}

export interface ReadableRows {
  readonly rows: ReadonlyMap<string, StoredRow>;
  /** Ids under whose keys lies something that nobody can read: it is left as it is. */
  readonly damaged: ReadonlySet<string>;
}

/** Reads the rows of a bucket that can be read: one that cannot keeps none of the others from being compared. */
export async function readReadable(
  replica: Pick<Replica, 'read'>,
  bucket: string,
  entityIds: readonly string[],
): Promise<ReadableRows> {
  try {
    return { rows: await replica.read(bucket, entityIds), damaged: new Set() };
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  const rows = new Map<string, StoredRow>();
  const damaged = new Set<string>();
  for (const entityId of entityIds) {
    try {
      for (const [id, row] of await replica.read(bucket, [entityId])) rows.set(id, row);
    } catch (error) {
      if (!isDamage(error)) throw error;
      damaged.add(entityId);
    }
  }
  return { rows, damaged };
}

function isDamage(error: unknown): boolean {
  return error instanceof AppError && error.code === 'ROW_MALFORMED';
}
