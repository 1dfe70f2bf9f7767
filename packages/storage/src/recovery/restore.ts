// What lost, or was, comes back by ordinary writes of values, under the rows' versions: a table of either form to write to,
// entities as a replay shows them, and the loser of a conflict.
import {
  type Conflict,
  type ContestedField,
  chunk,
  countReplay,
  type EntityOf,
  type EntityState,
  encodeVector,
  type FieldValues,
  isAlive,
  type MergePolicy,
  type PlannedReplay,
  type RecoveryRegion,
  type ReplayCounts,
  type Stamp,
  TerminalError,
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

export interface RestoreReport extends ReplayCounts {
  /** Written by someone since the plan was made, so left alone. */
  readonly leftAlone: readonly string[];
}

export interface RestoreEntitiesOptions {
  /** In the region that the plan is of. */
  readonly table: RestoringTable;
  readonly onProgress?: (done: number) => void;
  readonly signal?: AbortSignal;
}

const WRITES_AT_ONCE = 100;

/**
 * Makes entities what they were, each by an ordinary write on the version that the plan was made on: who
 * wrote meanwhile is not overwritten.
 */
export async function restoreEntities(
  changes: readonly PlannedReplay[],
  options: RestoreEntitiesOptions,
): Promise<RestoreReport> {
  const settled: PlannedReplay[] = [];
  const leftAlone: string[] = [];
  let done = 0;
  for (const part of chunk(changes, { countMax: WRITES_AT_ONCE })) {
    options.signal?.throwIfAborted();
    const isDone = await Promise.all(part.map((change) => restoreEntity(change, options)));
    settled.push(...part.filter((_, index) => isDone[index]));
    leftAlone.push(...part.flatMap(({ entityId }, index) => (isDone[index] ? [] : [entityId])));
    options.onProgress?.((done += part.length));
  }
  return { ...countReplay(settled), leftAlone };
}

/** Returns false when someone has written it since the plan was made. */
async function restoreEntity(
  { entityId, state, version, difference }: PlannedReplay,
  { table }: RestoreEntitiesOptions,
): Promise<boolean> {
  const isThere = difference.regions['now']?.life === 'alive';
  const condition: WriteCondition =
    isThere && version !== undefined
      ? { kind: 'version', versions: [version] }
      : { kind: 'absent' };
  const isWanted = difference.regions['then']?.life === 'alive';
  const outcome =
    isWanted && state !== undefined
      ? await table.become(entityId, state, condition)
      : await table.remove(entityId, condition);
  return outcome.kind !== 'condition-failed';
}

export interface RestoreConflictOptions {
  readonly conflict: Conflict;
  /** Every conflict of the entity that the region has recorded: what lost twice was won by the last. */
  readonly recorded: readonly Conflict[];
  /** What of its fields is to have the losing value again. */
  readonly chosen: readonly ContestedField[];
  readonly recovery: Pick<RecoveryRegion, 'replica'>;
  /** Also what was written again since. */
  readonly isForced: boolean;
  /** Opened when something is to be written; without it nothing is. */
  readonly openTable?: () => Promise<RestoringTable>;
}

/** What was, or would be, done: values set, the entity made alive again with them, or deleted again. */
export interface Restoration {
  readonly kind: 'set' | 'revive' | 'delete' | 'none';
  /** The names of the fields that have the losing value again. */
  readonly fields: readonly string[];
}

/**
 * Makes good again what lost, by an ordinary write: sets the values; where they were lost to a deletion makes
 * the entity alive with them; where a deletion lost to a write deletes again. What someone wrote after the
 * conflict, having seen who won, is not overwritten without being asked to, and neither is what is written
 * from now on. Throws `RECOVERY_REFUSED`.
 */
export async function restoreConflict(options: RestoreConflictOptions): Promise<Restoration> {
  const { conflict, recovery } = options;
  const { entityId } = conflict;
  const rows = await recovery.replica.read(recovery.replica.bucketOf(entityId), [entityId]);
  const state = rows.get(entityId)?.state;
  const plan = planRestoration(options, state);
  const table = plan.kind === 'none' ? undefined : await options.openTable?.();
  if (table === undefined) return plan;
  const outcome = await write({ table, plan, state, options });
  if (outcome.kind !== 'condition-failed' && outcome.kind !== 'not-found') return plan;
  const message = `${entityId} was written meanwhile. Look again, and repeat the command.`;
  throw new TerminalError('RECOVERY_REFUSED', message);
}

function planRestoration(
  options: RestoreConflictOptions,
  state: EntityState | undefined,
): Restoration {
  const { conflict, chosen, isForced } = options;
  const fields = chosen.map(({ name }) => name);
  if (conflict.life?.survives === true) {
    if (state === undefined || !isAlive(state)) return { kind: 'none', fields: [] };
    refuseNewer(isForced ? [] : writtenSince(options, state, ['life']));
    return { kind: 'delete', fields: [] };
  }
  if (state !== undefined && isAlive(state)) {
    // A value that is there: another write that had not seen the deletion kept the entity alive.
    const missing = chosen.filter(
      ({ name, loser }) => state.fields.get(name)?.stamp !== loser.stamp,
    );
    if (missing.length === 0) return { kind: 'none', fields: [] };
    const names = missing.map(({ name }) => name);
    refuseNewer(isForced ? [] : writtenSince(options, state, names));
    return { kind: 'set', fields: names };
  }
  if (!isForced && conflict.life === undefined) {
    throw refused('It was deleted since the conflict. --force makes it alive with what lost.');
  }
  refuseNewer(
    isForced || state === undefined ? [] : writtenSince(options, state, [...fields, 'life']),
  );
  return { kind: 'revive', fields };
}

/**
 * Returns the names, of fields or "life", that someone has written since who had seen the outcome: what is there now
 * is neither what lost nor what won over it, be it by way of other conflicts. With several regions the value
 * that lost here to one may have lost there to another.
 */
function writtenSince(
  { conflict, chosen, recorded }: RestoreConflictOptions,
  state: EntityState,
  names: readonly string[],
): readonly string[] {
  const all = [conflict, ...recorded.filter(({ entityId }) => entityId === conflict.entityId)];
  return names.filter((name) => {
    if (name === 'life') {
      const { life } = conflict;
      if (life === undefined || state.alive === undefined) return false;
      const pairs = all.flatMap((one) => (one.life ? [[one.life.deleted, one.life.alive]] : []));
      return !reachable([life.deleted, life.alive], pairs).has(state.alive);
    }
    // A field that is not there was taken away by the last write that owned the whole entity.
    const now = state.fields.get(name)?.stamp ?? state.base;
    const field = chosen.find((one) => one.name === name);
    if (now === undefined || field === undefined) return false;
    const pairs = all
      .flatMap((one) => one.fields.filter((other) => other.name === name))
      .map(({ loser, winner }) => [loser.stamp, winner.stamp]);
    return !reachable([field.loser.stamp, field.winner.stamp], pairs).has(now);
  });
}

/** Returns all that is connected with the stamps by pairs of which the first lost to the second. */
function reachable(
  from: readonly Stamp[],
  pairs: readonly (readonly (Stamp | undefined)[])[],
): ReadonlySet<Stamp> {
  const found = new Set(from);
  for (let size = 0; size < found.size; ) {
    size = found.size;
    for (const [loser, winner] of pairs) {
      if (loser !== undefined && winner !== undefined && found.has(loser)) found.add(winner);
    }
  }
  return found;
}

function refuseNewer(names: readonly string[]): void {
  if (names.length === 0) return;
  const what = names.map((name) => (name === 'life' ? 'the entity as such' : name)).join(', ');
  throw refused(`Written again since the conflict: ${what}. --force sets it all the same.`);
}

function refused(message: string): TerminalError {
  return new TerminalError('RECOVERY_REFUSED', message);
}

interface Writing {
  readonly table: RestoringTable;
  readonly plan: Restoration;
  readonly state: EntityState | undefined;
  readonly options: RestoreConflictOptions;
}

function write({ table, plan, state, options }: Writing): Promise<{ readonly kind: string }> {
  const { conflict, chosen, isForced } = options;
  const { entityId } = conflict;
  const lost = chosen
    .filter(({ name }) => plan.fields.includes(name))
    .map(({ name, loser }) => [name, loser.value] as const);
  if (plan.kind === 'revive') {
    // The tombstone keeps the other fields: what the entity was is what it will be.
    const kept = [...(state?.fields ?? [])].map(([name, { value }]) => [name, value] as const);
    return table.put(entityId, new Map([...kept, ...lost]), { kind: 'absent' });
  }
  const condition: WriteCondition | undefined =
    isForced || state === undefined
      ? undefined
      : { kind: 'version', versions: [encodeVector(state.vector)] };
  return plan.kind === 'delete'
    ? table.remove(entityId, condition)
    : table.patch(entityId, new Map(lost), condition);
}
