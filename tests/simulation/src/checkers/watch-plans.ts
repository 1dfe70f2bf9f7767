import type { ReplayPlan } from '@tandem/core';
import { decodeVector, isAlive } from '@tandem/core';
import { ARCHIVE_TABLE } from '@tandem/storage';
import { wasDamaged, wasDamagedSince } from '../faults/damage-rows.ts';
import type { Ledger } from '../observe/ledger.ts';
import { includesStamp, isRawAlive, type RawState } from '../observe/raw-state.ts';
import { readRawChangeSet, readRawRow } from '../observe/read-raw.ts';
import type { Plan, Recovery } from '../operators/recovery-log.ts';
import { gadgetKind, isClientsId } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

interface Written {
  readonly region: string;
  readonly entityId: string;
  readonly before: RawState | undefined;
  readonly after: RawState;
}

interface Touch {
  /** True time. */
  readonly atMs: number;
  readonly by: string;
}

/**
 * I19: what a recovery command writes is what its plan said, and all of it, but for what someone else wrote or
 * a store lost since the plan was begun, in the rows or, of a replay that joins, in the archive that it reads.
 * What it makes of a row is what the plan said it would be; and whatever anybody wrote meanwhile, a restore
 * writes on what it saw or not at all.
 */
export function watchPlans(
  { world, ledger }: { readonly world: World; readonly ledger: Ledger },
  report: Report,
): void {
  const { recoveries, scheduler } = world;
  const rows = new Map<string, RawState>();
  /** By entity: when others last wrote it, and who. */
  const touches = new Map<string, Touch[]>();
  /** By region and entity: when others last gave its archive a set with a change of it, and who. */
  const archivings = new Map<string, Touch[]>();
  const writtenBy = new Map<string, Set<string>>();

  const note = (into: Map<string, Touch[]>, key: string, by: string): void => {
    const own = into.get(key) ?? [];
    into.set(key, own);
    own.push({ atMs: scheduler.nowMs(), by });
  };
  const touch = (entityId: string, by: string): void => note(touches, entityId, by);
  const isSincePlan = (own: readonly Touch[] = [], { id, planStartMs }: Recovery): boolean =>
    own.some(({ atMs, by }) => by !== id && atMs >= planStartMs);
  const wasTouched = (entityId: string, recovery: Recovery): boolean =>
    isSincePlan(touches.get(entityId), recovery);
  // What was committed before the plan may come into the archive after it.
  const wasArchived = (entityId: string, recovery: Recovery): boolean =>
    recovery.command.kind === 'replay-join' &&
    isSincePlan(archivings.get(`${recovery.command.source} ${entityId}`), recovery);

  for (const { name, account } of world.regions) {
    account.onLost((table, rowKey) => {
      if (table === ARCHIVE_TABLE) {
        const [stamp = ''] = rowKey.split('~');
        for (const { entityId } of ledger.commitsUnder(stamp)) touch(entityId, 'nobody');
      }
      if (table !== gadgetKind.name) return;
      rows.delete(`${name} ${rowKey}`);
      touch(rowKey, 'nobody');
    });
  }

  const judge = (recovery: Recovery, plan: Plan, written: Written): void => {
    const { region, entityId } = written;
    if (!isOnWhatWasSeen(plan, written)) {
      report(
        'plan-overwrites',
        `${recovery.id} (${plan.kind}) wrote ${entityId} in ${region} unseen`,
      );
    }
    const isSaid = [plan, ...recovery.formerPlans].some((one) => isPlanned(one, written));
    if (isSaid || wasTouched(entityId, recovery)) return;
    if (wasArchived(entityId, recovery)) return;
    // What nobody could read when the plan was made may have been put back since.
    const row = { table: gadgetKind.name, rowKey: entityId };
    if (wasDamagedSince(world, row, recovery.planStartMs)) return;
    report(
      'plan-untrue',
      `${recovery.id} (${plan.kind}) wrote ${entityId} in ${region}, which its plan does not say`,
    );
  };

  ledger.onTransaction((region, { table, operations }, site) => {
    const [, by = site] = site.split('@');
    for (const operation of table === ARCHIVE_TABLE ? operations : []) {
      if (operation.kind === 'delete') continue;
      for (const { entityId } of readRawChangeSet(operation.properties).changes)
        note(archivings, `${region} ${entityId}`, by);
    }
    if (table !== gadgetKind.name) return;
    const recovery = recoveries.named(by);
    for (const operation of operations) {
      const { rowKey: entityId } = operation;
      const key = `${region} ${entityId}`;
      const after = operation.kind === 'delete' ? undefined : readRawRow(operation.properties);
      if (after === undefined) {
        rows.delete(key);
        touch(entityId, by);
        continue;
      }
      const before = rows.get(key);
      rows.set(key, after);
      if (recovery?.plan !== undefined && isClientsId(entityId)) {
        const own = writtenBy.get(by) ?? new Set<string>();
        writtenBy.set(by, own.add(key));
        judge(recovery, recovery.plan, { region, entityId, before, after });
      }
      touch(entityId, by);
    }
  });

  recoveries.onDone((recovery) => {
    const { id, plan, planStartMs } = recovery;
    if (plan === undefined) return;
    for (const key of plannedRows(plan)) {
      const [, entityId = ''] = key.split(' ');
      // The key of a forged entity may spell its id otherwise.
      if (!isClientsId(entityId)) continue;
      if (writtenBy.get(id)?.has(key) === true || wasTouched(entityId, recovery)) continue;
      // Of a row that nobody can read since, no repair knows what to bring: the proof that follows it names the row.
      const row = { table: gadgetKind.name, rowKey: entityId };
      if (plan.kind === 'repair' && wasDamagedSince(world, row, planStartMs)) continue;
      report('plan-undone', `${id} (${plan.kind}) was to write ${key}, and says that it is done`);
    }
    // What comes back in one region nobody else would send to its peers.
    for (const { entityId, state } of plan.kind === 'replay-join' ? plan.plan.changes : []) {
      if (!isClientsId(entityId) || wasTouched(entityId, recovery)) continue;
      for (const { name } of world.regions) {
        // What nobody can read there is not written over.
        if (wasDamaged(world, name, gadgetKind.name, entityId)) continue;
        const vector = rows.get(`${name} ${entityId}`)?.vector;
        if ([...(state?.vector.values() ?? [])].every((stamp) => includesStamp(vector, stamp)))
          continue;
        report('plan-undone', `${id} (${plan.kind}) has left ${name} without ${entityId}`);
      }
    }
  });
}

/** The rows that will be written, each as region and entity. */
function plannedRows(plan: Plan): readonly string[] {
  switch (plan.kind) {
    case 'repair':
      return plan.plan.repairs.flatMap(({ entityId, into }) =>
        into.map((region) => `${region} ${entityId}`),
      );
    case 'replay-join':
      return plan.plan.changes.map(({ entityId }) => `${plan.target} ${entityId}`);
    case 'replay-restore':
      return plan.plan.changes.map(({ entityId }) => `${plan.region} ${entityId}`);
    default:
      return [];
  }
}

function isPlanned(plan: Plan, written: Written): boolean {
  const { region, entityId } = written;
  switch (plan.kind) {
    case 'repair':
    case 'replay-join': {
      if (plan.kind === 'repair') return plannedRows(plan).includes(`${region} ${entityId}`);
      // What comes back is given to the peers as well.
      return plan.plan.changes.some((change) => change.entityId === entityId);
    }
    case 'replay-restore':
      return region === plan.region && isAsRestored(plan.plan, written);
    default: {
      if (region !== plan.region || entityId !== plan.entityId) return false;
      return isAsConflictRestored(plan, written);
    }
  }
}

type ConflictPlan = Extract<Plan, { readonly kind: 'restore-conflict' }>;

/** Only the fields that were named, each from a value of the conflicts to the one that lost. */
function isAsConflictRestored(
  { restoration, lost, contested }: ConflictPlan,
  { before, after }: Written,
): boolean {
  if (restoration.kind === 'none') return false;
  if (isRawAlive(after) === (restoration.kind === 'delete')) return false;
  if (restoration.kind !== 'set') return true;
  return [...after.fields].every(([name, { stamp, value }]) => {
    const own = before?.fields.get(name);
    const was = own?.stamp;
    // A write that owns the whole row stamps what it keeps.
    const isKept = stamp === after.base && JSON.stringify(value) === JSON.stringify(own?.value);
    if (stamp === was || isKept) return true;
    const isContested = was === undefined || contested.has(was);
    const isLoser = JSON.stringify(value) === JSON.stringify(lost.get(name) ?? null);
    return restoration.fields.includes(name) && isContested && isLoser;
  });
}

/** Alive afterwards or not, as the plan says. */
function isAsRestored({ changes }: ReplayPlan, { entityId, after }: Written): boolean {
  const change = changes.find((one) => one.entityId === entityId);
  return (
    change !== undefined &&
    isRawAlive(after) === (change.difference.regions['then']?.life === 'alive')
  );
}

/**
 * True when a restore wrote on the very version that it was decided on, or where there was nothing then and
 * now: whatever others wrote meanwhile, it takes nothing of theirs away.
 */
function isOnWhatWasSeen(plan: Plan, { entityId, before }: Written): boolean {
  const isOn = (seen: Vector | undefined): boolean =>
    before === undefined || !isRawAlive(before)
      ? seen === undefined
      : seen !== undefined && isSameVector(before.vector, seen);
  if (plan.kind === 'restore-conflict') {
    const { state } = plan.looked;
    return isOn(state !== undefined && isAlive(state) ? state.vector : undefined);
  }
  if (plan.kind !== 'replay-restore') return true;
  const change = plan.plan.changes.find((one) => one.entityId === entityId);
  // What the plan does not name at all is told of as such.
  if (change === undefined) return true;
  const { version = '', difference } = change;
  return isOn(difference.regions['now']?.life === 'alive' ? decodeVector(version) : undefined);
}

type Vector = ReadonlyMap<string, string>;

function isSameVector(a: Vector, b: Vector): boolean {
  return a.size === b.size && [...a].every(([name, stamp]) => b.get(name) === stamp);
}
