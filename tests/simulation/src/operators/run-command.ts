import { createHash } from 'node:crypto';
import {
  AppError,
  applyRepair,
  bucketOf,
  type Conflict,
  type Digest,
  type EntityState,
  eachQueuePage,
  encodeFieldValue,
  holdLeases,
  NO_HORIZONS,
  planRepair,
  planReplay,
  repairJournals,
  replayInPlace,
  surveyRisk,
  TerminalError,
  type VerifyReport,
  verifyRegions,
} from '@tandem/core';
import {
  forgetEntity,
  rebuildRegion,
  replayIntoTable,
  restoreConflict,
  restoreEntities,
  restoringTyped,
} from '@tandem/storage';
import type { ProcessContext } from '../processes/process-context.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import { type OperatedRegion, openOperatedRegion } from './operated-region.ts';
import type { Command, Plan, Recovery, Report } from './recovery-log.ts';

const RECHECKS = { recheckCountMax: 3, recheckDelayMs: 2_000 };
const FORGET_WAIT_MS = 20_000;
const CONFLICTS_MAX = 100_000;
const LOOKED_AT_MAX = 5;
/** Every reader of pages comes to a second one. */
const PAGE_MAX = [2, 3, 5, 1_000];

/** One run of a command by one process. */
interface Run {
  readonly context: ProcessContext;
  readonly recovery: Recovery;
  /** By name, all there are. */
  readonly regions: ReadonlyMap<string, OperatedRegion>;
  readonly signal: AbortSignal;
}

/**
 * Does what the command of that kind does in `apps/cli`, by the same use cases in the same order; resolves with
 * what it would print. Without leases it is what a holder does that was paused past their end.
 */
export async function runCommand(
  context: ProcessContext,
  recovery: Recovery,
  { isLeased }: { readonly isLeased: boolean },
): Promise<Report> {
  const { command } = recovery;
  const leaseLost = new AbortController();
  const signal = AbortSignal.any([context.incarnation.signal, leaseLost.signal]);
  const part = command.kind;
  const pageMax = context.world.draw.pick(`${recovery.id}.page`, PAGE_MAX);
  const regions = new Map(
    context.world.plan.regions.map((region) => [
      region,
      openOperatedRegion({ context, region, part, by: recovery.id, pageMax }),
    ]),
  );
  const run: Run = { context, recovery, regions, signal };
  if (!isLeased || LOOKS_ONLY.has(command.kind)) return perform(run, command);
  const clock = context.clock('alone');
  return holdLeases([...regions.values()], { clock, signal, leaseLost }, () =>
    perform(run, command),
  );
}

const LOOKS_ONLY = new Set<Command['kind']>(['verify', 'at-risk', 'resubmit']);

function perform(run: Run, command: Command): Promise<Report> {
  switch (command.kind) {
    case 'verify':
      return verify(run).then((proof) => ({ kind: 'verified', proof }));
    case 'repair':
      return repair(run);
    case 'replay-table':
      return replayTable(run, command);
    case 'replay-join':
      return replayJoin(run, command);
    case 'replay-restore':
      return replayRestore(run, command);
    case 'rebuild':
      return rebuild(run, command.target);
    case 'forget':
      return forget(run, command.entityId);
    case 'restore-conflict':
      return restoreOneConflict(run, command);
    case 'at-risk':
      return atRisk(run, command.region);
    default:
      return resubmit(run, command.region);
  }
}

function createSha256(): Digest {
  const hash = createHash('sha256');
  return { update: (text) => void hash.update(text), hex: () => hash.digest('hex') };
}

function recoveriesOf({ regions }: Run) {
  return [...regions.values()].map(({ recovery }) => recovery);
}

function clockOf({ context, recovery }: Run) {
  return context.clock(recovery.command.kind);
}

function regionNamed({ regions }: Run, name: string): OperatedRegion {
  const found = regions.get(name);
  if (found === undefined) throw new Error(`no region ${name}`);
  return found;
}

function verify(run: Run): Promise<VerifyReport> {
  const [first] = run.regions.values();
  return verifyRegions({
    regions: recoveriesOf(run),
    buckets: first?.recovery.buckets ?? [],
    clock: clockOf(run),
    createDigest: createSha256,
    tombstoneAgeMs: run.context.world.plan.tombstoneAgeMs,
    ...RECHECKS,
  });
}

/** Keeps what the command says that it will do. */
function announce({ context, recovery }: Run, plan: Plan): void {
  recovery.plan = plan;
  context.world.trace.note(`${recovery.id} has planned`);
}

async function repair(run: Run): Promise<Report> {
  run.recovery.planStartMs = run.context.world.scheduler.nowMs();
  const report = await verify(run);
  const { tombstoneAgeMs } = run.context.world.plan;
  const plan = planRepair(report, { nowMs: clockOf(run).nowMs(), tombstoneAgeMs });
  announce(run, { kind: 'repair', plan });
  const regions = recoveriesOf(run);
  const written = await applyRepair({ regions, repairs: plan.repairs });
  await repairJournals({ regions, conflicts: plan.conflicts });
  return { kind: 'repaired', written };
}

type SpanOf = Extract<Command, { kind: 'replay-join' }>['span'];

function bucketsOf(run: Run, { entityId, bucket }: SpanOf): readonly string[] {
  const { bucketCount } = run.context.world.plan;
  if (entityId !== undefined) return [bucketOf(entityId, bucketCount)];
  const [first] = run.regions.values();
  return bucket === undefined ? (first?.recovery.buckets ?? []) : [bucket];
}

function spanOf({ bucket: _bucket, ...span }: SpanOf) {
  return span;
}

async function replayTable(
  run: Run,
  { source, target, table, span }: Extract<Command, { kind: 'replay-table' }>,
): Promise<Report> {
  await replayIntoTable({
    archive: regionNamed(run, source).recovery.archive,
    source,
    target: regionNamed(run, target),
    table,
    buckets: bucketsOf(run, span),
    span: spanOf(span),
    signal: run.signal,
  });
  return { kind: 'replayed' };
}

async function replayJoin(
  run: Run,
  { source, target, span }: Extract<Command, { kind: 'replay-join' }>,
): Promise<Report> {
  const { world } = run.context;
  const { recovery } = regionNamed(run, target);
  const { archive } = regionNamed(run, source).recovery;
  const horizonMs = clockOf(run).nowMs() - world.plan.tombstoneAgeMs;
  const common = { archive, buckets: bucketsOf(run, span), span: spanOf(span) };
  run.recovery.planStartMs = world.scheduler.nowMs();
  const { rows, replica } = recovery;
  const tombstones = { kindMs: horizonMs, tables: new Map<string, number>() };
  const own = { region: target, rows, replica, tombstones };
  const plan = await planReplay({ ...common, ...own, mode: 'join' });
  announce(run, { kind: 'replay-join', target, plan });
  const peers = recoveriesOf(run).filter(({ region }) => region !== target);
  const joined = { ...common, source, target: recovery, peers, horizonMs };
  await replayInPlace({ ...joined, signal: run.signal });
  return { kind: 'replayed' };
}

async function replayRestore(
  run: Run,
  { region, span }: Extract<Command, { kind: 'replay-restore' }>,
): Promise<Report> {
  const { world } = run.context;
  const target = regionNamed(run, region);
  const { archive, rows, replica } = target.recovery;
  run.recovery.planStartMs = world.scheduler.nowMs();
  const plan = await planReplay({
    archive,
    region,
    rows,
    replica,
    buckets: bucketsOf(run, span),
    span: spanOf(span),
    mode: 'restore',
    tombstones: NO_HORIZONS,
  });
  announce(run, { kind: 'replay-restore', region, plan });
  const table = await target.openTable();
  await restoreEntities(plan.changes, {
    table: restoringTyped(gadgetKind, table),
    signal: run.signal,
  });
  return { kind: 'restored' };
}

async function rebuild(run: Run, name: string): Promise<Report> {
  const target = regionNamed(run, name);
  const report = await rebuildRegion({
    target,
    sources: recoveriesOf(run).filter(({ region }) => region !== name),
    prepare: () => target.store.createTable(gadgetKind.name),
    clock: clockOf(run),
    createDigest: createSha256,
    tombstoneAgeMs: async () => run.context.world.plan.tombstoneAgeMs,
    ...RECHECKS,
    signal: run.signal,
  });
  return { kind: 'rebuilt', proof: report.proof };
}

async function forget(run: Run, entityId: string): Promise<Report> {
  const traces = await forgetEntity({
    regions: [...run.regions.values()],
    entityId,
    clock: clockOf(run),
    signal: run.signal,
    waitMs: FORGET_WAIT_MS,
  }).catch(async (error: unknown) => {
    if (error instanceof AppError) await discardNamed(run, error);
    throw error;
  });
  return { kind: 'forgotten', traces };
}

/** Throws away, as the refusal says, the letters that no build can read: in this world they are all forged or torn. */
async function discardNamed(run: Run, { details }: AppError): Promise<void> {
  const named = (details['deadLetters'] ?? {}) as Readonly<Record<string, readonly string[]>>;
  for (const [region, numbers] of Object.entries(named)) {
    await regionNamed(run, region).withQueue((queue) =>
      queue.settle(new Set(numbers.map(BigInt)), 'discard'),
    );
  }
}

/** From the one that was picked on, the first of a few of which something can be restored. */
async function findRestorable(
  { recovery }: OperatedRegion,
  recorded: readonly Conflict[],
  pick: number,
): Promise<Conflict | undefined> {
  const at = pick % Math.max(1, recorded.length);
  const looked = [...recorded.slice(at), ...recorded.slice(0, at)].slice(0, LOOKED_AT_MAX);
  for (const conflict of looked) {
    const options = { conflict, recorded, chosen: conflict.fields, recovery, isForced: false };
    const plan = await orRefused(restoreConflict(options));
    if (plan !== undefined && plan.kind !== 'none') return conflict;
  }
  return looked[0];
}

async function orRefused<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof AppError && error.code === 'RECOVERY_REFUSED') return undefined;
    throw error;
  }
}

async function restoreOneConflict(
  run: Run,
  { region, pick }: Extract<Command, { kind: 'restore-conflict' }>,
): Promise<Report> {
  const target = regionNamed(run, region);
  const conflicts = await target.recovery.conflicts.list(gadgetKind.name, CONFLICTS_MAX);
  const found = conflicts.filter(({ fields, life }) => fields.length > 0 || life !== undefined);
  const conflict = await findRestorable(target, found, pick);
  if (conflict === undefined) return { kind: 'nothing-to-do' };
  const { entityId, fields } = conflict;
  const recorded = conflicts.filter((one) => one.entityId === entityId);
  const { replica } = target.recovery;
  const looked: { state: EntityState | undefined } = { state: undefined };
  const read: typeof replica.read = async (...asked) => {
    const rows = await replica.read(...asked);
    looked.state = rows.get(entityId)?.state;
    return rows;
  };
  const options = {
    conflict,
    recorded,
    chosen: fields,
    recovery: { replica: { ...replica, read } },
    isForced: false,
  };
  run.recovery.planStartMs = run.context.world.scheduler.nowMs();
  const restoration = await restoreConflict(options);
  announce(run, {
    kind: 'restore-conflict',
    region,
    entityId,
    restoration,
    looked,
    lost: new Map(fields.map(({ name, loser }) => [name, encodeFieldValue(loser.value)])),
    contested: new Set(
      recorded.flatMap((one) =>
        one.fields.flatMap(({ winner, loser }) => [winner.stamp, loser.stamp]),
      ),
    ),
  });
  const openTable = async () => restoringTyped(gadgetKind, await target.openTable());
  await restoreConflict({ ...options, openTable });
  return { kind: 'restored' };
}

async function atRisk(run: Run, region: string): Promise<Report> {
  const { outbox } = regionNamed(run, region).recovery;
  const unread = new Set<string>();
  const survey = await surveyRisk({
    region,
    outbox,
    buckets: outbox.buckets,
    peers: [...run.regions.keys()].filter((name) => name !== region),
    async openPeer(peer) {
      const { recovery, withQueue } = regionNamed(run, peer);
      return {
        replica: recovery.replica,
        withQueue: (work) =>
          withQueue(work).catch((error: unknown) => {
            unread.add(peer);
            throw error;
          }),
      };
    },
  });
  return { kind: 'at-risk', survey, unread };
}

async function resubmit(run: Run, region: string): Promise<Report> {
  return regionNamed(run, region).withQueue(async (queue) => {
    const chosen: bigint[] = [];
    for await (const page of eachQueuePage(queue, 'dead-letters')) {
      chosen.push(...page.map(({ sequenceNumber }) => sequenceNumber));
    }
    if (chosen.length === 0) return { kind: 'nothing-to-do' };
    const settled = await queue.settle(new Set(chosen), 'resubmit');
    if (settled.size === 0) throw new TerminalError('RECOVERY_REFUSED', 'Others hold the letters.');
    return { kind: 'resubmitted', chosen };
  });
}
