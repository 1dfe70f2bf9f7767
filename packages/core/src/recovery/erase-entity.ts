import { readChangeSets } from '../arrival/read-change-sets.ts';
import { untilUncontended } from '../concurrency/contention.ts';
import { TerminalError } from '../errors.ts';
import type { ChangeSet } from '../model/change-set.ts';
import { type Conflict, conflictHoldsValues, eraseConflict } from '../model/conflict.ts';
import { scanOutbox } from '../outbound/sweep.ts';
import type { QueuedMessage, QueueLane, QueueViewer } from '../ports/queue-viewer.ts';
import type { ArchiveRow, RecoveryRegion } from '../ports/recovery-region.ts';
import { type EntityState, eraseField, type StampedField } from '../state/entity-state.ts';
import type { Stamp } from '../time/stamp.ts';
import { inflateChangeSet } from '../wire/deflate-change-set.ts';
import { encodeChangeSet } from '../wire/encode-change-set.ts';
import { decodeConflictMessage } from '../wire/encode-conflict.ts';

/** Where values of an entity still are in one region. */
export interface Traces {
  readonly region: string;
  readonly rows: number;
  readonly archiveRows: number;
  readonly conflicts: number;
  readonly outboxRows: number;
  /** Rows of archive and outbox in its bucket that nobody can read: they may hold some as well. */
  readonly unreadable: number;
  /** Whether its row or its archive names the entity at all, erased or not. */
  readonly isKnown: boolean;
}

const PUT_BATCH_MAX = 100;
const CONTENTION = { attemptsMax: 5, remedy: 'Repeat the command.' };

/**
 * The state without its values: stamps and vector stay, so that it still joins as before. Of two fields
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

/** Whether a change set holds values of the entity. */
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
  for await (const one of conflicts.scan(entityKind, bucket)) {
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

/** False when some of it was written by someone else meanwhile. */
async function eraseArchive(
  { entityKind, archive, replica }: RecoveryRegion,
  entityId: string,
  until: Stamp | undefined,
): Promise<boolean> {
  const bucket = replica.bucketOf(entityId);
  let erased: ArchiveRow[] = [];
  let leftOut = 0;
  const flush = async (): Promise<void> => {
    leftOut += (await archive.put(erased)).length;
    erased = [];
  };
  for await (const row of archive.scan({ entityKind, bucket })) {
    if (row.kind === 'damaged') continue;
    const set = eraseSet(row.set, entityId, until);
    if (set === undefined) continue;
    erased.push({ ...row, set, encoded: encodeChangeSet(set) });
    if (erased.length >= PUT_BATCH_MAX) await flush();
  }
  await flush();
  return leftOut === 0;
}

async function eraseConflicts(
  { conflicts, entityKind, replica }: RecoveryRegion,
  entityId: string,
  until: Stamp | undefined,
): Promise<void> {
  let erased: Conflict[] = [];
  for await (const one of conflicts.scan(entityKind, replica.bucketOf(entityId))) {
    if (!conflictHoldsValues(one, entityId)) continue;
    erased.push(eraseConflict(one, until));
    if (erased.length < PUT_BATCH_MAX) continue;
    await conflicts.accept(erased);
    erased = [];
  }
  await conflicts.accept(erased);
}

/** Undefined when it holds nothing that is to be erased. */
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

/** The outbox rows that hold values of the entity, those included that are parked for `peers`. */
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

/** Every message, a page in memory at a time. Throws `RECOVERY_REFUSED` for a queue that has too many. */
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

/** The numbers of the messages that hold values of the entity. */
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
