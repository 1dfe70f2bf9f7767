import { type EntityState, isAlive } from '../state/entity-state.ts';
import { mergeStates } from '../state/merge.ts';
import { encodeVector } from '../state/version-vector.ts';
import type { Stamp } from '../time/stamp.ts';
import { isSameState } from './state-text.ts';
import { encodeFieldValue, type EncodedFieldValue } from '../values/encode-field-value.ts';

/** By region: undefined where there is no row. */
export type StatesByRegion = ReadonlyMap<string, EntityState | undefined>;

export interface DifferingField {
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
