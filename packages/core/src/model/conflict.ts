import { type EntityState, eraseField, isAlive, type StampedField } from '../state/entity-state.ts';
import { laterField } from '../state/merge.ts';
import { covers, hasSeen, newestStamp } from '../state/version-vector.ts';
import { maxStamp, type Stamp } from '../time/stamp.ts';
import { isSameValue } from '../values/field-value.ts';

/**
 * Is a value that lost. Where a deletion won, or a write that owned the whole entity and did not name the field,
 * the winner is the null that it left, under its stamp.
 */
export interface ContestedField {
  readonly name: string;
  readonly winner: StampedField;
  readonly loser: StampedField;
}

/** Names the stamp of a write that made the entity alive, and of a deletion, neither of which saw the other. */
interface ContestedLife {
  readonly alive: Stamp;
  readonly deleted: Stamp;
  readonly survives: boolean;
}

/**
 * Is what was lost between two transactions of one entity, neither of which had seen the other. It is named by
 * the two and says nothing else that depends on where they met, so that what several regions find of the same
 * two joins to one record. See docs/adr/0024.
 */
export interface Conflict {
  readonly entityKind: string;
  readonly entityId: string;
  /** Names the two transactions, the smaller stamp first. */
  readonly stamps: readonly [Stamp, Stamp];
  /**
   * Holds each name once: what the one of them had written and lost to the other. Empty when they wrote
   * different fields, so that both survive whole, and when what lost is a deletion.
   */
  readonly fields: readonly ContestedField[];
  readonly life: ContestedLife | undefined;
}

export function areConcurrent(a: EntityState, b: EntityState): boolean {
  return !covers(a.vector, b.vector) && !covers(b.vector, a.vector);
}

/**
 * Returns what is lost when two concurrent states are merged, a conflict for each two transactions that lose
 * something to each other; never empty. A state tells of every value which transaction wrote it.
 */
export function findConflicts(
  stored: EntityState,
  incoming: { readonly entityKind: string; readonly entityId: string; readonly state: EntityState },
): readonly Conflict[] {
  const { state, entityKind, entityId } = incoming;
  const losses = [
    ...contestedFields(stored, state),
    ...droppedFields(stored, state),
    ...droppedFields(state, stored),
    ...lostLife(stored, state),
    ...lostLife(state, stored),
  ];
  const found = new Map<string, Conflict>();
  const note = ({ stamps, field, life }: Loss): void => {
    const fields = field === undefined ? [] : [field];
    const one: Conflict = { entityKind, entityId, stamps: inOrder(stamps), fields, life };
    const key = one.stamps.join('~');
    const own = found.get(key);
    found.set(key, own === undefined ? one : joinConflicts(own, one));
  };
  for (const loss of losses) note(loss);
  // Nothing is lost, and yet they had not seen each other.
  if (losses.length === 0) {
    note({ stamps: [newestUnseen(stored, state), newestUnseen(state, stored)] });
  }
  return [...found.values()];
}

/** Returns everything that either of two records of the same two transactions says; a value that was erased stays so. */
export function joinConflicts(a: Conflict, b: Conflict): Conflict {
  const fields = new Map(a.fields.map((field) => [field.name, field]));
  for (const field of b.fields) {
    const own = fields.get(field.name);
    fields.set(field.name, own === undefined ? field : joinContested(own, field));
  }
  const sorted = [...fields.values()].sort((x, y) => (x.name < y.name ? -1 : 1));
  return { ...a, fields: sorted, life: joinLife(a.life, b.life) };
}

/** The two transactions say it all, so both are the same unless one was forged: every region must choose alike. */
function joinLife(
  a: ContestedLife | undefined,
  b: ContestedLife | undefined,
): ContestedLife | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const textOf = ({ alive, deleted, survives }: ContestedLife): string =>
    [alive, deleted, survives].join();
  return textOf(a) >= textOf(b) ? a : b;
}

function joinContested(a: ContestedField, b: ContestedField): ContestedField {
  return {
    name: a.name,
    winner: laterField(a.winner, b.winner),
    loser: laterField(a.loser, b.loser),
  };
}

/** Returns the conflict without its values: whatever is joined with it has none of them any more. */
export function eraseConflict(conflict: Conflict, until?: Stamp): Conflict {
  const fields = conflict.fields.map(({ name, winner, loser }) => ({
    name,
    winner: eraseField(winner, until),
    loser: eraseField(loser, until),
  }));
  return { ...conflict, fields };
}

export function conflictHoldsValues({ entityId, fields }: Conflict, wanted: string): boolean {
  if (entityId !== wanted) return false;
  return fields.some(({ winner, loser }) => winner.value !== null || loser.value !== null);
}

interface Loss {
  readonly stamps: readonly [Stamp, Stamp];
  readonly field?: ContestedField;
  readonly life?: ContestedLife;
}

function contestedFields(a: EntityState, b: EntityState): Loss[] {
  const contested: Loss[] = [];
  for (const [name, own] of a.fields) {
    const other = b.fields.get(name);
    if (other === undefined || isSameValue(own.value, other.value)) continue;
    if (hasSeen(a.vector, other.stamp) || hasSeen(b.vector, own.stamp)) continue;
    const winner = laterField(own, other);
    const loser = winner === own ? other : own;
    contested.push({ stamps: [loser.stamp, winner.stamp], field: { name, winner, loser } });
  }
  return contested;
}

/** Values of the one that the other, whose base is later, neither saw nor has anything in the place of. */
function droppedFields({ fields, vector }: EntityState, other: EntityState): Loss[] {
  const { base } = other;
  if (base === undefined || hasSeen(vector, base)) return [];
  const dropped: Loss[] = [];
  for (const [name, loser] of fields) {
    if (loser.stamp >= base || loser.value === null || other.fields.has(name)) continue;
    if (hasSeen(other.vector, loser.stamp)) continue;
    const winner = { value: null, stamp: base };
    dropped.push({ stamps: [loser.stamp, base], field: { name, winner, loser } });
  }
  return dropped;
}

/** `dead` deleted what `live` wrote, or `live` outlives its deletion: to be called both ways. */
function lostLife(dead: EntityState, live: EntityState): Loss[] {
  const { deleted } = dead;
  const { alive } = live;
  if (isAlive(dead) || deleted === undefined || !isAlive(live) || alive === undefined) return [];
  if (hasSeen(live.vector, deleted)) return [];
  if (alive > deleted) {
    return [{ stamps: [deleted, alive], life: { alive, deleted, survives: true } }];
  }
  // Whatever the deletion had not seen is lost with the entity, write by write.
  const lifeOf = (stamp: Stamp): ContestedLife => ({ alive: stamp, deleted, survives: false });
  const losses: Loss[] = [];
  if (!hasSeen(dead.vector, alive)) {
    losses.push({ stamps: [alive, deleted], life: lifeOf(alive) });
  }
  for (const [name, loser] of live.fields) {
    if (hasSeen(dead.vector, loser.stamp)) continue;
    const field = { name, winner: { value: null, stamp: deleted }, loser };
    losses.push({ stamps: [loser.stamp, deleted], field, life: lifeOf(loser.stamp) });
  }
  return losses;
}

function newestUnseen(state: EntityState, by: EntityState): Stamp {
  const unseen = [...state.vector.values()].filter((stamp) => !hasSeen(by.vector, stamp));
  // Both sides of a conflict hold something unseen; the fallback only keeps the function total.
  return maxStamp(unseen) ?? newestStamp(state.vector) ?? ('' as Stamp);
}

function inOrder([a, b]: readonly [Stamp, Stamp]): readonly [Stamp, Stamp] {
  return a < b ? [a, b] : [b, a];
}
