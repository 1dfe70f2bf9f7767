import type { ReplayPlan } from '@tandem/core';
import { decodeVector } from '@tandem/core';
import type { Ledger } from '../observe/ledger.ts';
import { isRawAlive, type RawState } from '../observe/raw-state.ts';
import { readRawRow } from '../observe/read-raw.ts';
import type { Plan, Recovery } from '../operators/recovery-log.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

interface Written {
  readonly region: string;
  readonly entityId: string;
  readonly before: RawState | undefined;
  readonly after: RawState;
}

/**
 * I19: what a recovery command writes is what its plan said, and all of it, but for what someone else wrote or
 * a store lost since the plan was begun. What it makes of a row is what the plan said it would be.
 */
export function watchPlans(
  { world, ledger }: { readonly world: World; readonly ledger: Ledger },
  report: Report,
): void {
  const { recoveries, scheduler } = world;
  const rows = new Map<string, RawState>();
  /** By entity: when others last wrote it, and who. */
  const touches = new Map<string, { readonly atMs: number; readonly by: string }[]>();
  const writtenBy = new Map<string, Set<string>>();

  const touch = (entityId: string, by: string): void => {
    const own = touches.get(entityId) ?? [];
    touches.set(entityId, own);
    own.push({ atMs: scheduler.nowMs(), by });
  };
  const wasTouched = (entityId: string, { id, planStartMs }: Recovery): boolean =>
    (touches.get(entityId) ?? []).some(({ atMs, by }) => by !== id && atMs >= planStartMs);

  for (const { name, account } of world.regions) {
    account.onLost((table, rowKey) => {
      if (table !== gadgetKind.name) return;
      rows.delete(`${name} ${rowKey}`);
      touch(rowKey, 'nobody');
    });
  }

  const judge = (recovery: Recovery, plan: Plan, written: Written): void => {
    const { region, entityId } = written;
    const wrong = isPlanned(plan, written) ? undefined : `${entityId} in ${region}`;
    if (wrong === undefined || wasTouched(entityId, recovery)) return;
    report(
      'plan-untrue',
      `${recovery.id} (${plan.kind}) wrote ${wrong}, which its plan does not say`,
    );
  };

  ledger.onTransaction((region, { table, operations }, site) => {
    if (table !== gadgetKind.name) return;
    const [, by = site] = site.split('@');
    const recovery = recoveries.named(by);
    for (const operation of operations) {
      const { rowKey: entityId } = operation;
      const key = `${region} ${entityId}`;
      const after = operation.kind === 'delete' ? undefined : readRawRow(operation.properties);
      if (after === undefined) {
        rows.delete(key);
        continue;
      }
      const before = rows.get(key);
      rows.set(key, after);
      if (recovery?.plan !== undefined) {
        const own = writtenBy.get(by) ?? new Set<string>();
        writtenBy.set(by, own.add(key));
        judge(recovery, recovery.plan, { region, entityId, before, after });
      }
      touch(entityId, by);
    }
  });

  recoveries.onDone((recovery) => {
    const { id, plan } = recovery;
    if (plan === undefined) return;
    for (const key of plannedRows(plan)) {
      const [, entityId = ''] = key.split(' ');
      if (writtenBy.get(id)?.has(key) === true || wasTouched(entityId, recovery)) continue;
      report('plan-undone', `${id} (${plan.kind}) was to write ${key}, and says that it is done`);
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
    const was = before?.fields.get(name)?.stamp;
    if (stamp === was) return true;
    const isContested = was === undefined || contested.has(was);
    const isLoser = JSON.stringify(value) === JSON.stringify(lost.get(name) ?? null);
    return restoration.fields.includes(name) && isContested && isLoser;
  });
}

/** Written on the version that the plan was made on, and alive afterwards or not as it says. */
function isAsRestored({ changes }: ReplayPlan, { entityId, before, after }: Written): boolean {
  const change = changes.find((one) => one.entityId === entityId);
  if (change === undefined) return false;
  const { now, then } = change.difference.regions;
  if (isRawAlive(after) !== (then?.life === 'alive')) return false;
  const wasAlive = before !== undefined && isRawAlive(before);
  if (now?.life !== 'alive' || change.version === undefined) return !wasAlive;
  const planned = decodeVector(change.version) ?? new Map<string, string>();
  const vector: ReadonlyMap<string, string> = before?.vector ?? new Map<string, string>();
  return (
    vector.size === planned.size &&
    [...planned].every(([name, stamp]) => vector.get(name) === stamp)
  );
}
