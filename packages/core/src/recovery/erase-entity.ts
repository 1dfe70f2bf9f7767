import { batchesOf } from '../concurrency/bounded.ts';
import { untilUncontended } from '../concurrency/retry.ts';
import { TerminalError } from '../errors.ts';
import { ROWS_PER_TRANSACTION_MAX } from '../limits/table-limits.ts';
import type { ChangeSet } from '../model/change-set.ts';
import { type Conflict, conflictHoldsValues, eraseConflict } from '../model/conflict.ts';
import { scanOutbox } from '../outbound/sweep.ts';
import type {
  DeadLetterReplacement,
  QueuedMessage,
  QueueLane,
  QueueViewer,
} from '../ports/queue-viewer.ts';
import type { ArchiveRow, RecoveryRegion } from '../ports/recovery-region.ts';
import { type EntityState, eraseField, type StampedField } from '../state/entity-state.ts';
import type { Stamp } from '../time/stamp.ts';
import { deflateChangeSet, encodeChangeSet, inflateChangeSet } from '../wire/change-set-bytes.ts';
import {
  decodeConflictMessage,
  encodeConflict,
  rewriteConflictMessage,
} from '../wire/encode-conflict.ts';
import { packChangeSets, readChangeSets } from '../wire/message-body.ts';

/** Where values of an entity still are in one region. */
export interface Traces {
  readonly region: string;
  readonly rows: number;
  readonly archiveRows: number;
  readonly conflicts: number;
  readonly outboxRows: number;
  /** Rows of archive, journal and outbox in its bucket that nobody can read: they may hold some as well. */
  readonly unreadable: number;
  /** Whether its row or its archive names the entity at all, erased or not. */
  readonly isKnown: boolean;
}

const ERASED_BOUNDS = { countMax: ROWS_PER_TRANSACTION_MAX };
const CONTENTION = { attemptsMax: 5, remedy: 'Repeat the command.' };

/**
 * Returns the state without its values: stamps and vector stay, so that it still joins as before. Of two fields
 * of one stamp the null wins (see `laterField`), so an erased state cannot be undone by one that is not. What was
 * written after `until` stays.
 */
export function eraseState(state: EntityState, until?: Stamp): EntityState {
  const fields = [...state.fields].map(([name, field]): [string, StampedField] => [
    name,
    eraseField(field, until),
  ]);
  return { ...state, fields: new Map(fields) };
}

export function holdsValues({ fields }: EntityState): boolean {
  return [...fields.values()].some(({ value }) => value !== null);
}

/** Tells whether a change set holds values of the entity. */
export function setHoldsValues({ changes }: ChangeSet, entityId: string): boolean {
  return changes.some((change) => change.entityId === entityId && holdsValues(change.state));
}

/** Counts; writes nothing. `peers` are those that outbox rows may be parked for. */
export async function findTraces(
  region: RecoveryRegion,
  entityId: string,
  peers: readonly string[],
): Promise<Traces> {
  const { replica, entityKind, conflicts } = region;
  const bucket = replica.bucketOf(entityId);
  const rows = await replica.read(bucket, [entityId]);
  const state = rows.get(entityId)?.state;
  let [archiveRows, damaged] = [0, 0];
  let isKnown = state !== undefined;
  for await (const row of region.archive.scan({ entityKind, bucket })) {
    if (row.kind === 'damaged') damaged += 1;
    else if (setHoldsValues(row.set, entityId)) archiveRows += 1;
    isKnown ||= row.kind === 'set' && row.set.changes.some((one) => one.entityId === entityId);
  }
  const outbox = await lookIntoOutbox(region, entityId, peers);
  let held = 0;
  for await (const one of conflicts.scan(entityKind, bucket, () => (damaged += 1))) {
    if (conflictHoldsValues(one, entityId)) held += 1;
  }
  return {
    region: region.region,
    rows: state !== undefined && holdsValues(state) ? 1 : 0,
    archiveRows,
    conflicts: held,
    outboxRows: outbox.holding,
    unreadable: damaged + outbox.unreadable,
    isKnown,
  };
}

/**
 * Erases the values from the archive and the conflicts of a region, once the deletion that keeps none
 * has reached its row. Stamps stay: regions stay equal, and a replay gives the same tombstone. What was written
 * after `until`, the stamp of that deletion, is of a later life and stays. Idempotent. Throws `WRITE_CONTENDED`.
 */
export async function eraseEntity(
  region: RecoveryRegion,
  entityId: string,
  until?: Stamp,
): Promise<void> {
  await untilUncontended(async () => {
    const isErased = await eraseArchive(region, entityId, until);
    return isErased || { contended: `The archive rows of ${entityId}` };
  }, CONTENTION);
  await eraseConflicts(region, entityId, until);
}

/** Returns false when some of it was written by someone else meanwhile. */
async function eraseArchive(
  { entityKind, archive, replica }: RecoveryRegion,
  entityId: string,
  until: Stamp | undefined,
): Promise<boolean> {
  const bucket = replica.bucketOf(entityId);
  const erasedRows = async function* (): AsyncGenerator<ArchiveRow> {
    for await (const row of archive.scan({ entityKind, bucket })) {
      const set = row.kind === 'damaged' ? undefined : eraseSet(row.set, entityId, until);
      if (set === undefined) continue;
      yield { ...row, set, encoded: encodeChangeSet(set), isErased: true };
    }
  };
  let leftOut = 0;
  for await (const batch of batchesOf(erasedRows(), ERASED_BOUNDS)) {
    leftOut += (await archive.put(batch)).length;
  }
  return leftOut === 0;
}

async function eraseConflicts(
  { conflicts, entityKind, replica }: RecoveryRegion,
  entityId: string,
  until: Stamp | undefined,
): Promise<void> {
  const erasedOnes = async function* (): AsyncGenerator<Conflict> {
    for await (const one of conflicts.scan(entityKind, replica.bucketOf(entityId))) {
      if (conflictHoldsValues(one, entityId)) yield eraseConflict(one, until);
    }
  };
  for await (const batch of batchesOf(erasedOnes(), ERASED_BOUNDS)) await conflicts.accept(batch);
}

/** Returns undefined when it holds nothing that is to be erased. */
function eraseSet(
  set: ChangeSet,
  entityId: string,
  until: Stamp | undefined,
): ChangeSet | undefined {
  const isToErase = ({ value, stamp }: StampedField): boolean =>
    value !== null && (until === undefined || stamp <= until);
  const holds = set.changes.some(
    (change) => change.entityId === entityId && [...change.state.fields.values()].some(isToErase),
  );
  if (!holds) return undefined;
  const changes = set.changes.map((change) =>
    change.entityId === entityId ? { ...change, state: eraseState(change.state, until) } : change,
  );
  return { ...set, changes };
}

/** Counts the outbox rows that hold values of the entity, those included that are parked for `peers`. */
export async function countOutboxRows(
  region: RecoveryRegion,
  entityId: string,
  peers: readonly string[],
): Promise<number> {
  return (await lookIntoOutbox(region, entityId, peers)).holding;
}

async function lookIntoOutbox(
  { outbox, replica }: RecoveryRegion,
  entityId: string,
  peers: readonly string[],
): Promise<{ readonly holding: number; readonly unreadable: number }> {
  const bucket = replica.bucketOf(entityId);
  let [holding, unreadable] = [0, 0];
  for await (const page of scanOutbox(outbox, { bucket, peers })) {
    holding += page.entries.filter(({ set }) => setHoldsValues(set, entityId)).length;
    unreadable += page.unreadable.length + page.aside.length;
  }
  return { holding, unreadable };
}

const PAGE_MESSAGES = 500;
const PAGES_MAX = 4_000;

/** Reads every message, a page in memory at a time. Throws `RECOVERY_REFUSED` for a queue that has too many. */
export async function* eachQueuePage(
  queue: QueueViewer,
  lane: QueueLane,
): AsyncGenerator<readonly QueuedMessage[]> {
  let from = 0n;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const messages = await queue.peek(lane, from, PAGE_MESSAGES);
    const last = messages.at(-1);
    if (last === undefined) return;
    yield messages;
    from = last.sequenceNumber + 1n;
  }
  throw new TerminalError(
    'RECOVERY_REFUSED',
    `More than ${PAGES_MAX * PAGE_MESSAGES} messages lie in a queue: wait until some are applied.`,
  );
}

/** Returns the numbers of the messages that hold values of the entity. */
export async function findHolding(
  queue: QueueViewer,
  lane: QueueLane,
  id: string,
): Promise<bigint[]> {
  const found: bigint[] = [];
  for await (const page of eachQueuePage(queue, lane)) {
    const holding = page.filter((message) => messageHolds(message, id));
    found.push(...holding.map(({ sequenceNumber }) => sequenceNumber));
  }
  return found;
}

/**
 * Erases the values from the dead letters of a region's queue: what a letter says without them is sent to the
 * queue, whatever else is in it included, and then the letter goes. What was written after `until` stays.
 * Idempotent. Resolves with the numbers of the letters that nobody can read and that may hold some: they stay as
 * they are, for only an operator can tell what would be lost with them.
 */
export async function eraseDeadLetters(
  queue: QueueViewer,
  id: string,
  until?: Stamp,
): Promise<readonly bigint[]> {
  const unreadable: bigint[] = [];
  for await (const page of eachQueuePage(queue, 'dead-letters')) {
    const replacements = new Map<bigint, DeadLetterReplacement[]>();
    for (const message of page) {
      const { sequenceNumber, messageId } = message;
      const bodies = messageHolds(message, id) ? withoutValues(message, id, until) : undefined;
      if (bodies === 'unreadable') unreadable.push(sequenceNumber);
      else if (bodies !== undefined) {
        // Under names of their own: a queue may drop what comes again under one that it knows.
        const start = `${messageId.slice(0, MESSAGE_ID_START_MAX)}~${sequenceNumber}`;
        const toReplacement = (body: Uint8Array, nth: number): DeadLetterReplacement => ({
          messageId: `${start}.${nth}`,
          body,
        });
        replacements.set(sequenceNumber, bodies.map(toReplacement));
      }
    }
    if (replacements.size > 0) await queue.replace(replacements);
  }
  return unreadable;
}

/** Bounds what is taken of the 128 characters that the name of a message may have. */
const MESSAGE_ID_START_MAX = 100;

/** Returns the bodies that say the same without the values; undefined when there is nothing to erase. */
function withoutValues(
  { subject, body }: QueuedMessage,
  id: string,
  until: Stamp | undefined,
): readonly Uint8Array[] | 'unreadable' | undefined {
  if (subject === 'watermark') return conflictsWithoutValues(body, id, until);
  const clean: Uint8Array[] = [];
  const doubtful: Uint8Array[] = [];
  let isErased = false;
  for (const one of readChangeSets(body)) {
    const erased = one.kind === 'set' ? eraseSet(one.set, id, until) : undefined;
    isErased ||= erased !== undefined;
    if (one.kind === 'unreadable' && mayName(one.encoded, id)) doubtful.push(one.encoded);
    else clean.push(erased === undefined ? one.encoded : encodeLike(one.encoded, erased));
  }
  if (doubtful.length === 0) return isErased ? [toBody(clean)] : undefined;
  // What nobody can read is kept apart from what can be applied.
  return clean.length === 0 ? 'unreadable' : [toBody(clean), toBody(doubtful)];
}

function toBody(sets: readonly Uint8Array[]): Uint8Array {
  const [first] = sets;
  return sets.length === 1 && first !== undefined ? first : packChangeSets(sets);
}

/** Deflated where it was: whoever wrote it knew that its peers read that. */
function encodeLike(encoded: Uint8Array, set: ChangeSet): Uint8Array {
  const plain = encodeChangeSet(set);
  return inflateChangeSet(encoded) === encoded ? plain : deflateChangeSet(plain);
}

function conflictsWithoutValues(
  body: Uint8Array,
  id: string,
  until: Stamp | undefined,
): readonly Uint8Array[] | 'unreadable' | undefined {
  let isErased = false;
  const erase = (conflict: Conflict): Conflict => {
    if (!conflictHoldsValues(conflict, id)) return conflict;
    const erased = eraseConflict(conflict, until);
    isErased ||= !isSameConflict(erased, conflict);
    return erased;
  };
  try {
    const rewritten = rewriteConflictMessage(body, erase);
    return rewritten === undefined || !isErased ? undefined : [rewritten];
  } catch (error) {
    if (error instanceof TerminalError) return 'unreadable';
    throw error;
  }
}

function isSameConflict(a: Conflict, b: Conflict): boolean {
  return Buffer.compare(encodeConflict(a), encodeConflict(b)) === 0;
}

function messageHolds({ subject, body }: QueuedMessage, id: string): boolean {
  if (subject === 'watermark') return conflictsHold(body, id);
  return readChangeSets(body).some((one) =>
    one.kind === 'set' ? setHoldsValues(one.set, id) : mayName(one.encoded, id),
  );
}

/** A watermark may tell of conflicts; one that cannot be read may tell of this one. */
function conflictsHold(body: Uint8Array, id: string): boolean {
  try {
    return decodeConflictMessage(body)?.some((one) => conflictHoldsValues(one, id)) ?? false;
  } catch (error) {
    if (error instanceof TerminalError) return true;
    throw error;
  }
}

/** What cannot be read may still name it; of what lies deflated in it nobody can tell. */
function mayName(encoded: Uint8Array, id: string): boolean {
  try {
    const text = new TextDecoder().decode(inflateChangeSet(encoded));
    return text.includes(id) || text.includes('"deflated":"');
  } catch (error) {
    if (error instanceof TerminalError) return true;
    throw error;
  }
}
