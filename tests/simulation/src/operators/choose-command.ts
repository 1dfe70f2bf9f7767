import { readableSetsIn } from '@tandem/core';
import type { Ledger } from '../observe/ledger.ts';
import { fromNextWireBody, isAside, isUpgraded } from '../processes/next-build.ts';
import type { World } from '../world/world.ts';
import type { Command } from './recovery-log.ts';

const KINDS: readonly Command['kind'][] = [
  'verify',
  'repair',
  'repair',
  'replay-table',
  'replay-table',
  'replay-join',
  'replay-join',
  'replay-restore',
  'replay-restore',
  'rebuild',
  'forget',
  'forget',
  'restore-conflict',
  'restore-conflict',
  'at-risk',
  'at-risk',
  'resubmit',
];
const ONE_ENTITY_PROBABILITY = 0.6;
const ONE_BUCKET_PROBABILITY = 0.5;
const URGENT_PROBABILITY = 0.4;
const FORGOTTEN_MAX = 4;
const CONFLICTS_PICKED_MAX = 1_000;

/** What an operator does next. */
export function chooseCommand(world: World, ledger: Ledger, key: string): Command {
  const { draw, plan } = world;
  const waiting = asideIn(world);
  if (waiting !== undefined) return { kind: 'resubmit', region: waiting };
  const urgent = draw.chance(`${key}.urgent`, URGENT_PROBABILITY) ? urgentIn(world) : undefined;
  if (urgent !== undefined) return urgent;
  const kind = draw.pick(`${key}.kind`, KINDS);
  const region = draw.pick(`${key}.region`, plan.regions);
  const target = draw.pick(`${key}.target`, plan.regions);
  switch (kind) {
    case 'verify':
    case 'repair':
      return { kind };
    case 'replay-table': {
      const span = { ...spanOf(world, ledger, key), ...sinceOf(world, key) };
      return { kind, source: region, target, table: `Replayed${tableNumber(key)}`, span };
    }
    case 'replay-join': {
      const { beforeMs: _beforeMs, ...span } = spanOf(world, ledger, key);
      return { kind, source: region, target, span: { ...span, ...sinceOf(world, key) } };
    }
    case 'replay-restore': {
      const span = spanOf(world, ledger, key);
      return { kind, region, span: { ...span, beforeMs: span.beforeMs ?? nowOf(world) } };
    }
    case 'rebuild':
      return { kind, target };
    case 'forget':
      return chooseForget(world, ledger, key);
    case 'restore-conflict':
      return {
        kind,
        region,
        pick: draw.chance(`${key}.newest`, 0.5)
          ? 0
          : draw.integer(`${key}.pick`, [0, CONFLICTS_PICKED_MAX]),
      };
    default:
      return { kind, region };
  }
}

/**
 * What an alarm would tell of: a region that lost its archive, one that can send to nobody, one whose queue or
 * store cannot be reached.
 */
function urgentIn({ regions, losses, plan, recoveries, links }: World): Command | undefined {
  const [lost] = losses.needsFilling;
  const isFilled = recoveries.all.some(
    ({ command, state }) => command.kind === 'rebuild' && state.kind === 'done',
  );
  if (lost !== undefined && !isFilled) return { kind: 'rebuild', target: lost };
  // What it has archived is given to one of several others by hand, and these have it from there.
  const mute = regions.find(({ name }) =>
    links.all.filter(({ from }) => from === name).every(({ cuts }) => cuts > 0),
  );
  const target = plan.regions.find((name) => name !== mute?.name);
  if (mute !== undefined && target !== undefined && plan.regions.length > 2)
    return { kind: 'replay-join', source: mute.name, target, span: {} };
  const down = regions.find(
    ({ namespace, account }) => namespace.outages > 0 || account.outages > 0,
  );
  const [other] = plan.regions.filter((name) => name !== down?.name);
  return down === undefined || other === undefined ? undefined : { kind: 'at-risk', region: other };
}

/**
 * Of few entities, since of what is forgotten little can be said later; of those first that dead letters hold
 * values of.
 */
function chooseForget(world: World, ledger: Ledger, key: string): Command {
  const { draw, recoveries } = world;
  const known = [...recoveries.forgotten];
  const all = [...ledger.truth.keys()];
  if (all.length < 2) return { kind: 'verify' };
  const ids = known.length >= Math.min(FORGOTTEN_MAX, all.length / 2) ? known : all;
  const letters = world.regions.flatMap(({ namespace: { bus, queue } }) =>
    bus.deadLettersOf(queue),
  );
  const dead = new Set(
    letters.flatMap(({ body }) =>
      readableSetsIn(fromNextWireBody(body)).flatMap(({ changes }) =>
        changes.map(({ entityId }) => entityId),
      ),
    ),
  );
  const named = ids.filter((id) => dead.has(id));
  return { kind: 'forget', entityId: draw.pick(`${key}.entity`, named.length > 0 ? named : ids) };
}

/** The region of which letters wait that it could read by now. */
function asideIn(world: World): string | undefined {
  const found = world.regions.find(
    ({ name, namespace: { bus, queue } }) =>
      isUpgraded(world, name) && bus.deadLettersOf(queue).some((one) => isAside(one)),
  );
  return found?.name;
}

function spanOf(world: World, ledger: Ledger, key: string) {
  const { draw, plan } = world;
  const ids = [...ledger.truth.keys()];
  const buckets = Array.from({ length: plan.bucketCount }, (_, n) =>
    n.toString(16).padStart(2, '0'),
  );
  const isOne = ids.length > 0 && draw.chance(`${key}.one`, ONE_ENTITY_PROBABILITY);
  const isBucket = !isOne && draw.chance(`${key}.one-bucket`, ONE_BUCKET_PROBABILITY);
  return {
    ...(isOne ? { entityId: draw.pick(`${key}.entity`, ids) } : {}),
    ...(isBucket ? { bucket: draw.pick(`${key}.bucket`, buckets) } : {}),
    ...(draw.chance(`${key}.past`, 0.7) ? { beforeMs: pastOf(world, `${key}.before`) } : {}),
  };
}

function sinceOf(world: World, key: string): { readonly fromMs?: number } {
  return world.draw.chance(`${key}.has-since`, 0.25)
    ? { fromMs: pastOf(world, `${key}.since`) }
    : {};
}

function pastOf(world: World, key: string): number {
  const { startMs } = world.plan;
  return startMs + Math.round(world.draw.fraction(key) * (nowOf(world) - startMs));
}

function nowOf({ scheduler }: World): number {
  return scheduler.nowMs();
}

/** A name that only this command has. */
function tableNumber(key: string): string {
  return key.replaceAll(/[^A-Za-z0-9]/g, '');
}
