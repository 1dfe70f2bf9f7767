import type { Stamp } from '../time/stamp.ts';
import { encodeFieldValue } from '../values/field-value.ts';
import { type EntityState, fieldsSince, type StampedField } from './entity-state.ts';
import { mergeVectors, newestStamp } from './version-vector.ts';

/**
 * Returns the join of two states: per field the value with the greater stamp, the greater deletion, alive and
 * base stamps, the pointwise maximum of the vectors, and the request of the newest transaction in them; then without
 * the fields of before the base. A field that one order of merges takes away early is below the base of every other
 * order too, and a request that one drops is not the newest of any, so the join is commutative, associative and idempotent, so
 * neither order nor repetition of deliveries can matter (I3): an entity is a state-based CRDT, a map of
 * last-writer-wins registers (Shapiro, Preguiça, Baquero and Zawirski, "Conflict-free Replicated Data Types", SSS 2011; the
 * register is 3.2.1 of their study INRIA RR-7506).
 */
export function mergeStates(a: EntityState, b: EntityState): EntityState {
  const fields = new Map(a.fields);
  for (const [name, field] of b.fields) {
    const own = fields.get(name);
    fields.set(name, own === undefined ? field : laterField(own, field));
  }
  const base = laterStamp(a.base, b.base);
  const request = laterRequest(a, b);
  return {
    fields: fieldsSince(base, fields),
    alive: laterStamp(a.alive, b.alive),
    deleted: laterStamp(a.deleted, b.deleted),
    ...(base === undefined ? {} : { base }),
    ...(request === undefined ? {} : { request }),
    vector: mergeVectors(a.vector, b.vector),
  };
}

/** Returns that one of two fields which every region keeps. */
export function laterField(a: StampedField, b: StampedField): StampedField {
  if (a.stamp !== b.stamp) return a.stamp > b.stamp ? a : b;
  // A stamp is unique, so the values are the same too unless one was erased, or a message forged: every
  // region must choose alike, and the null of an erased one wins (its "null" sorts after every "[").
  return sortKey(a) >= sortKey(b) ? a : b;
}

function laterStamp(a: Stamp | undefined, b: Stamp | undefined): Stamp | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a > b ? a : b;
}

/** Returns the request that made the newest transaction of the two. */
function laterRequest(a: EntityState, b: EntityState): string | undefined {
  if (a.request === undefined && b.request === undefined) return undefined;
  const [ofA, ofB] = [newestStamp(a.vector) ?? '', newestStamp(b.vector) ?? ''];
  if (ofA !== ofB) return ofA > ofB ? a.request : b.request;
  // One transaction has one request, unless a message was forged, or an older build left it out.
  return (a.request ?? '') > (b.request ?? '') ? a.request : b.request;
}

function sortKey(field: StampedField): string {
  return JSON.stringify(encodeFieldValue(field.value));
}
