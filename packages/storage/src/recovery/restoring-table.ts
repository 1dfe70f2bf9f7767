// What restoring writes to, of kinds of either form: ordinary writes of values, under the rows' versions.
import {
  type EntityOf,
  type EntityState,
  type FieldValues,
  type MergePolicy,
  type TypedKind,
  toEntity,
} from '@tandem/core';
import type { ReplicatedTable, WriteCondition } from '../replicated-table.ts';
import type { StateTable } from '../write-path/create-replicated-table.ts';

/** Resolves with what became of the write, as `ReplicatedTable` has it. */
type Written = Promise<{ readonly kind: string }>;

export interface RestoringTable {
  /** Makes the entity what the state shows of it. */
  become(entityId: string, state: EntityState, condition: WriteCondition | undefined): Written;
  put(entityId: string, values: FieldValues, condition: WriteCondition): Written;
  patch(entityId: string, values: FieldValues, condition: WriteCondition | undefined): Written;
  remove(entityId: string, condition: WriteCondition | undefined): Written;
}

/** Returns the same of a table of a typed kind: what its schema does not know is left out. */
export function restoringTyped<K extends TypedKind>(
  kind: K,
  table: ReplicatedTable<K>,
): RestoringTable {
  const entityOf = (values: FieldValues) =>
    Object.fromEntries([...values].map(([name, value]) => [name, value?.value ?? null])) as Partial<
      EntityOf<K>
    >;
  return {
    become: (entityId, state, condition) => table.put(entityId, toEntity(kind, state), condition),
    put: (entityId, values, condition) => table.put(entityId, entityOf(values), condition),
    patch: (entityId, values, condition) => table.patch(entityId, entityOf(values), condition),
    remove: (entityId, condition) => table.remove(entityId, condition),
  };
}

/** Returns the same of a table of clients, which merges by its policy: values keep their types. */
export function restoringOpen(
  states: Pick<StateTable, 'write'>,
  policy: MergePolicy,
): RestoringTable {
  const put = (entityId: string, values: FieldValues, condition: WriteCondition | undefined) =>
    states.write({ entityId, condition, policy, write: { kind: 'put', values } });
  return {
    put,
    become(entityId, { fields }, condition) {
      const values = new Map(
        [...fields].flatMap(([name, { value }]) =>
          value === null ? [] : [[name, value] as const],
        ),
      );
      return put(entityId, values, condition);
    },
    patch: (entityId, values, condition) =>
      states.write({ entityId, condition, policy, write: { kind: 'patch', values } }),
    remove: (entityId, condition) =>
      states.write({ entityId, condition, policy, write: { kind: 'delete' } }),
  };
}
