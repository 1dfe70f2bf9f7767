// The one place where a change set that arrives is judged, before a clock, a row, an archive or a journal
// sees any of it (design: invariants I15 and I17). Decoding says what the bytes say; judging says whether it
// is believed. What is refused here every region refuses, so nobody sends it in good order; what is accepted
// here stays acceptable whatever it is joined with. See docs/adr/0020.
import { TerminalError } from '../errors.ts';
import type { Change, ChangeSet, FragmentHead } from '../model/change-set.ts';
import type { Conflict } from '../model/conflict.ts';
import type { ArchiveEntry } from '../ports/archive.ts';
import type { Replica } from '../ports/replica.ts';
import { adoptionOf } from '../state/adopted-state.ts';
import { stampsOf } from '../state/entity-state.ts';
import { hasSeen } from '../state/version-vector.ts';
import { isPossibleStamp, NIL_STAMP, OLD_REGION, type Stamp, stampRegion } from '../time/stamp.ts';
import { encodeChangeSet } from '../wire/change-set-bytes.ts';
import type { RefusalReason } from './refusal.ts';

export interface ReceivedSet extends ArchiveEntry {
  /** Is the caller's own name for it, given back with the result. */
  readonly key: string;
}

export interface ArrivalRules {
  /** Names this region, those it exchanges changes with, and former ones: nobody else has ever written. */
  readonly regions: ReadonlySet<string>;
  /** Holds them by entity kind. */
  readonly replicas: ReadonlyMap<string, Replica>;
}

export interface Judgement {
  /** Is what of it is applied: all, the changes that are sound, or nothing; of a `whole` set all or nothing. */
  readonly sound: (ReceivedSet & { readonly replica: Replica }) | undefined;
  /** Says why the rest is not. */
  readonly refusal: TerminalError | undefined;
}

/** Judges one change set. Total: whatever could be decoded has an answer. */
export function judgeChangeSet(received: ReceivedSet, rules: ArrivalRules): Judgement {
  const { set } = received;
  const replica = rules.replicas.get(set.entityKind);
  if (replica === undefined) {
    const entityIds = set.changes.map(({ entityId }) => entityId);
    return { sound: undefined, refusal: unknownKind(set.entityKind, entityIds) };
  }
  const fault = findSetFault(set, rules, replica);
  if (fault !== undefined) return { sound: undefined, refusal: refuse(set, fault) };
  const faults = new Map<string, Fault>();
  for (const change of set.changes) {
    const found =
      findStampFault(change, set.stamp, rules) ?? replica.faultOf(change.entityId, change.state);
    if (found !== undefined) faults.set(change.entityId, found);
  }
  if (faults.size === 0) return { sound: { ...received, replica }, refusal: undefined };
  if (set.whole === true) return { sound: undefined, refusal: refuseWhole(set, faults) };
  const sound = withoutChanges(received, new Set(faults.keys()));
  return { sound: sound && { ...sound, replica }, refusal: refuseEntities(set.entityKind, faults) };
}

/**
 * Returns why the set that a fragment says it is of can be none, or undefined: nothing is kept of one that would be
 * refused as soon as it is whole.
 */
export function judgeFragment(
  { entityKind, stamp }: Pick<FragmentHead, 'entityKind' | 'stamp'>,
  rules: ArrivalRules,
): TerminalError | undefined {
  if (!rules.replicas.has(entityKind)) return unknownKind(entityKind, []);
  const fault = findOriginFault(stamp, rules);
  return fault && refuse({ entityKind, changes: [] }, fault);
}

/** Returns why a conflict that a peer tells of is not believed, or undefined. */
export function judgeConflict(conflict: Conflict, rules: ArrivalRules): TerminalError | undefined {
  const { entityKind, entityId, stamps, fields, life } = conflict;
  const replica = rules.replicas.get(entityKind);
  if (replica === undefined) return unknownKind(entityKind, [entityId]);
  const own = [...stamps, ...(life === undefined ? [] : [life.alive, life.deleted])];
  const faults = [
    ...[...own, ...fields.flatMap(({ winner, loser }) => [winner.stamp, loser.stamp])].map(
      (stamp) => findForeignStamp(stamp, rules),
    ),
    // What won and what lost were each in a state of the entity, so each of them is judged as one.
    ...(['winner', 'loser'] as const).map((side) =>
      replica.faultOf(entityId, {
        fields: new Map(fields.map((field) => [field.name, field[side]])),
        alive: undefined,
        deleted: undefined,
        vector: new Map(),
      }),
    ),
  ];
  const fault = faults.find((one) => one !== undefined);
  return fault && refuseEntities(entityKind, new Map([[entityId, fault]]));
}

function findForeignStamp(stamp: Stamp, { regions }: ArrivalRules): Fault | undefined {
  if (stamp === NIL_STAMP) return undefined;
  if (!isPossibleStamp(stamp)) {
    return { reason: 'STAMP_IMPOSSIBLE', text: `no clock can have made its stamp ${stamp}` };
  }
  if (stampRegion(stamp) === OLD_REGION) return undefined;
  return regions.has(stampRegion(stamp)) ? undefined : unknownRegion(stampRegion(stamp));
}

/** Takes changes out; undefined when nothing is left. */
export function withoutChanges(
  received: ReceivedSet,
  entityIds: ReadonlySet<string>,
): ReceivedSet | undefined {
  const changes = received.set.changes.filter(({ entityId }) => !entityIds.has(entityId));
  if (changes.length === 0) return undefined;
  const set = { ...received.set, changes };
  return { ...received, set, encoded: encodeChangeSet(set) };
}

interface Fault {
  readonly reason: RefusalReason;
  readonly text: string;
}

/** Returns why no transaction of a region can have the stamp, or undefined. */
function findOriginFault(stamp: Stamp, rules: ArrivalRules): Fault | undefined {
  const foreign = findForeignStamp(stamp, rules);
  if (foreign !== undefined) return foreign;
  // What an old table had done comes in the sets of the region that takes it over.
  if (stampRegion(stamp) === OLD_REGION) return unknownRegion(OLD_REGION);
  // A field of a state that was mended may carry it; as the name of a transaction it is everybody's.
  if (stamp !== NIL_STAMP) return undefined;
  return { reason: 'STAMP_IMPOSSIBLE', text: `no transaction has the stamp ${stamp}` };
}

function findSetFault(set: ChangeSet, rules: ArrivalRules, replica: Replica): Fault | undefined {
  const { stamp, bucket, changes } = set;
  const origin = findOriginFault(stamp, rules);
  if (origin !== undefined) return origin;
  // Its place in the archive, and what a person's history and erasure look through, follow from it.
  const elsewhere = changes.find(({ entityId }) => replica.bucketOf(entityId) !== bucket);
  if (elsewhere === undefined) return undefined;
  const { entityId } = elsewhere;
  const text =
    `its bucket is "${bucket}", and ${JSON.stringify(entityId)} lies in ` +
    `"${replica.bucketOf(entityId)}" here`;
  return { reason: 'BUCKET_WRONG', text };
}

/**
 * A write is stamped above all that its row held, and its vector takes every stamp in: so no stamp of a
 * change is above that of its set, and none is missing from its vector. An adopted state is of no transaction here, and
 * all of it is of one of the old table.
 */
function findStampFault(
  { state }: Change,
  setStamp: Stamp,
  { regions }: ArrivalRules,
): Fault | undefined {
  for (const region of state.vector.keys()) {
    if (region === OLD_REGION || state.vector.get(region) === NIL_STAMP) continue;
    if (!regions.has(region)) return unknownRegion(region);
  }
  const isAdopted = adoptionOf(state) !== undefined;
  if (!isAdopted && state.vector.get(stampRegion(setStamp)) !== setStamp) {
    const text = `its vector does not say that it is of the transaction ${setStamp}`;
    return { reason: 'STAMP_INCONSISTENT', text };
  }
  for (const stamp of stampsOf(state)) {
    if (stamp <= setStamp && hasSeen(state.vector, stamp)) continue;
    const text = `its stamp ${stamp} is above its transaction ${setStamp} or its vector`;
    return { reason: 'STAMP_INCONSISTENT', text };
  }
  return undefined;
}

function unknownRegion(region: string): Fault {
  const text = `it names the region "${region}", which is none of this region's peers and no former one`;
  return { reason: 'REGION_UNKNOWN', text };
}

function refuse(
  set: Pick<ChangeSet, 'entityKind' | 'changes'>,
  { reason, text }: Fault,
): TerminalError {
  return new TerminalError(reason, `A change set of ${set.entityKind} is refused: ${text}.`, {
    details: { entityIds: set.changes.map(({ entityId }) => entityId) },
  });
}

/** Refuses all of a transaction for what is wrong with some of it: half of it would be what nobody wrote. */
function refuseWhole(set: ChangeSet, faults: ReadonlyMap<string, Fault>): TerminalError {
  const { code, message } = refuseEntities(set.entityKind, faults);
  const text = `${message} It is one of a transaction of ${set.changes.length}, which is applied whole or not at all.`;
  const entityIds = set.changes.map(({ entityId }) => entityId);
  return new TerminalError(code, text, { details: { entityIds } });
}

/** Refuses them under the reason of the first. */
function refuseEntities(entityKind: string, faults: ReadonlyMap<string, Fault>): TerminalError {
  const [first] = faults.values();
  const named = [...faults].map(([entityId, { text }]) => `${JSON.stringify(entityId)}: ${text}`);
  return new TerminalError(
    first?.reason ?? 'ENTITY_INVALID',
    `No entity of ${entityKind}: ${named.join('; ')}.`,
    { details: { entityIds: [...faults.keys()] } },
  );
}

function unknownKind(entityKind: string, entityIds: readonly string[]): TerminalError {
  return new TerminalError(
    'ENTITY_KIND_UNKNOWN',
    `This region replicates no entity kind "${entityKind}". Register it in the replicator, ` +
      'then resubmit the message.',
    { details: { entityIds } },
  );
}
