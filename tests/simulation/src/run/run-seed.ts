import type { FinalState, Violation } from '../checkers/checker.ts';
import { FINAL_CHECKERS } from '../checkers/final-checkers.ts';
import { watchArchives } from '../checkers/watch-archives.ts';
import { createAtRiskWatch } from '../checkers/watch-at-risk.ts';
import { createLaneWatch } from '../checkers/watch-lanes.ts';
import { createMemoryWatch } from '../checkers/watch-memory.ts';
import { watchOverwrites } from '../checkers/watch-overwrites.ts';
import { watchPlans } from '../checkers/watch-plans.ts';
import { watchProofs } from '../checkers/watch-proofs.ts';
import { createReadinessWatch } from '../checkers/watch-readiness.ts';
import { watchRepeats } from '../checkers/watch-repeats.ts';
import { watchReplays } from '../checkers/watch-replays.ts';
import { watchRevivals } from '../checkers/watch-revivals.ts';
import { watchRiskList } from '../checkers/watch-risk-list.ts';
import { createSessionWatch } from '../checkers/watch-sessions.ts';
import { watchSweep } from '../checkers/watch-sweep.ts';
import {
  checkTables,
  haveTablesConverged,
  type TablesWatchOptions,
  watchTables,
} from '../checkers/watch-tables.ts';
import { watchTransactions } from '../checkers/watch-transactions.ts';
import { watchTrims } from '../checkers/watch-trims.ts';
import { watchWatermarks } from '../checkers/watch-watermarks.ts';
import { watchWholeRows } from '../checkers/watch-whole-rows.ts';
import { createHistory, type History } from '../clients/history.ts';
import { runClient } from '../clients/run-client.ts';
import { drawNemesis } from '../faults/nemesis-plan.ts';
import { runNemesis } from '../faults/run-nemesis.ts';
import { createLedger, type Ledger } from '../observe/ledger.ts';
import { type ReadinessProbe, startReadinessProbe } from '../observe/readiness-probe.ts';
import { startResubmitting } from '../processes/next-build.ts';
import { createSupervisor } from '../processes/supervisor.ts';
import { runTableClient } from '../tables/run-table-client.ts';
import type { TableOperation } from '../tables/tables-history.ts';
import { createTablesLedger } from '../tables/tables-ledger.ts';
import { createWorld, type WorldOptions } from '../world/create-world.ts';
import { describeTransaction } from '../world/describe-transaction.ts';
import type { World } from '../world/world.ts';
import { hasConverged } from './has-converged.ts';
import { readFinalRegion } from './read-final-state.ts';
import type { TablesPlan } from './run-plan.ts';
import type { SeedResult } from './seed-result.ts';
import { windowsOf } from './windows.ts';

const STEP_MS = 1_000;
/** Locks, backoffs and leases are over long before. */
const SETTLE_STEPS_MAX = 400;
/** Longer than any claim of a wrong clock is believed. */
const READY_STEPS_MAX = 150;
/** After that, so that nothing which was under way comes late: longer than what counts as young waits. */
const QUIET_STEPS = 7;
/** The archive is replayed to these parts of all commits, and to the end. */
const REPLAYED_SHARES = [0.2, 0.5, 0.8];

export interface RunOptions extends WorldOptions {
  /** Gives the trace back, line by line. */
  readonly keepTrace?: boolean;
}

/** One run from a seed: a time with faults, then none, then everything must be right. */
export async function runSeed(options: RunOptions): Promise<SeedResult> {
  const world = await createWorld(options);
  const ledger = createLedger(world);
  const history = createHistory();
  const { poison } = world;
  const violations: Violation[] = [];
  const report = (checker: string, message: string): void => {
    if (!violations.some((one) => one.checker === checker)) violations.push({ checker, message });
  };
  const supervisor = createSupervisor(world, ledger);
  const windows = windowsOf(world.plan);
  const events = windows.flatMap((window, index) => drawNemesis(world, window, index));
  watchWatermarks({ world, ledger, history }, report);
  watchRevivals(ledger, report);
  watchWholeRows({ world, ledger }, report);
  watchSweep({ world, ledger }, report);
  watchTransactions({ world, ledger }, report);
  watchOverwrites({ world, ledger }, report);
  watchArchives({ world, ledger }, report);
  watchPlans({ world, ledger }, report);
  watchProofs({ world, ledger }, report);
  watchReplays({ world, ledger }, report);
  watchTrims({ world, ledger }, report);
  watchRiskList({ world, ledger }, report);
  noteCollections(world, ledger);
  const tableHistory: TableOperation[] = [];
  const tables = { world, ledger: createTablesLedger(world), history: tableHistory };
  if (world.plan.tables !== undefined) watchTables(tables, report);
  if (world.plan.migration !== undefined) {
    // Its commands take a second to load, which most runs need not spend.
    const { createMigration } = await import('../migration/migration.ts');
    const watched = { ledger: tables.ledger, report };
    world.migration = await createMigration(world, world.plan.migration, watched);
  }
  const checkRepeats = watchRepeats(tables, report);
  const watchReadiness = createReadinessWatch({ world, ledger, history }, report);
  const watchLanes = createLaneWatch({ world, history }, report);
  const watchMemory = createMemoryWatch(world, report);
  const watchAtRisk = createAtRiskWatch({ world, ledger, history }, report);
  const watchSession = createSessionWatch({ history, ledger }, report);
  supervisor.startAll();
  const nemesis = runNemesis({ world, supervisor, events, poison, ledger, history });
  const probe = startReadinessProbe(world, {
    onAsk: () => {
      watchReadiness.look();
      watchLanes();
    },
    onAnswer: (result) => {
      watchReadiness.judge(result);
      watchMemory(result);
      watchAtRisk();
    },
  });
  const { preferredRegion } = probe;
  const claimed = new Set<string>();
  for (let index = 0; index < world.plan.clients; index += 1) {
    const client = { world, ledger, history, index, preferredRegion, claimed, windows };
    runClient({ ...client, onRead: watchSession }).catch((error: unknown) =>
      world.reportBug(undefined, error),
    );
  }
  for (let index = 0; index < (world.plan.tables?.clients ?? 0); index += 1) {
    const client = { world, plan: world.plan.tables as TablesPlan, history: tableHistory };
    runTableClient({ ...client, index, windows }).catch((error: unknown) =>
      world.reportBug(undefined, error),
    );
  }
  world.migration?.startClients(windows.at(-1)?.[1] ?? 0);
  await runWindows(world, windows, () => {
    nemesis.heal();
    supervisor.startAll();
    if (world.plan.operators === 0) startResubmitting(world);
  });
  supervisor.closeRecovery().catch((error: unknown) => world.reportBug(undefined, error));
  const isSettled = await settle(world, ledger, tables);
  // A wrong clock, a damaged row or a hang must not keep a region out of traffic for ever.
  if (!(await untilReady(world, probe))) report('unready', 'not every region is ready in the end');
  const final = await readFinalState({ world, ledger, history, poison, isSettled });
  for (const { name, check } of FINAL_CHECKERS) for (const text of check(final)) report(name, text);
  if (world.plan.tables !== undefined) checkTables(tables, report);
  checkRepeats();
  await world.migration?.check();
  for (const bug of world.bugs) report('bug', bug);
  const result = toResult(world, history, violations);
  return options.keepTrace === true ? { ...result, trace: world.trace.lines() } : result;
}

/** Tombstones are collected although not everybody hears everybody. */
function noteCollections({ links, situations }: World, ledger: Ledger): void {
  ledger.onTransaction((_region, transaction) => {
    if (describeTransaction(transaction) !== 'tombstone') return;
    if (links.all.some(({ cuts }) => cuts > 0)) situations.note('collected-while-cut');
  });
}

/** Faults come in windows; between them, and after the last, all is well. */
async function runWindows(
  world: World,
  windows: readonly (readonly [number, number])[],
  heal: () => void,
): Promise<void> {
  const { scheduler, faults } = world;
  for (const [fromMs, beforeMs] of windows) {
    await scheduler.runUntil(() => false, fromMs);
    faults.resume();
    await scheduler.runUntil(() => false, beforeMs);
    heal();
    faults.pause();
  }
}

async function settle(world: World, ledger: Ledger, tables: TablesWatchOptions): Promise<boolean> {
  const { scheduler } = world;
  let quiet = 0;
  for (let step = 0; step < SETTLE_STEPS_MAX && quiet < QUIET_STEPS; step += 1) {
    await scheduler.runUntil(() => false, scheduler.nowMs() + STEP_MS);
    quiet =
      world.recoveries.isClosed &&
      (await hasConverged(world, ledger)) &&
      (world.migration?.hasConverged() ?? haveTablesConverged(tables))
        ? quiet + 1
        : 0;
  }
  return quiet >= QUIET_STEPS;
}

async function untilReady(
  { scheduler }: World,
  probe: Pick<ReadinessProbe, 'isAllReady'>,
): Promise<boolean> {
  for (let step = 0; step < READY_STEPS_MAX && !probe.isAllReady(); step += 1) {
    await scheduler.runUntil(() => false, scheduler.nowMs() + STEP_MS);
  }
  return probe.isAllReady();
}

async function readFinalState(
  parts: Omit<FinalState, 'regions' | 'hasConverged'> & { readonly isSettled: boolean },
): Promise<FinalState> {
  const { world, ledger, isSettled } = parts;
  const times = REPLAYED_SHARES.map(
    (share) => ledger.commits[Math.floor(ledger.commits.length * share)]?.atMs ?? 0,
  );
  const replayTimesMs = [...times, Number.MAX_SAFE_INTEGER / 64];
  const regions: FinalState['regions'][number][] = [];
  for (const region of world.regions) {
    regions.push(await readFinalRegion(world, region, replayTimesMs));
  }
  return { ...parts, regions, hasConverged: isSettled };
}

function toResult(world: World, history: History, violations: readonly Violation[]): SeedResult {
  const { seed, scheduler, plan, trace, faults, sites, situations } = world;
  const acknowledged = history.operations.filter(({ outcome }) => outcome.kind === 'acknowledged');
  return {
    seed,
    operations: history.operations.length,
    acknowledged: acknowledged.length,
    events: scheduler.eventCount,
    simulatedMs: scheduler.nowMs() - plan.startMs,
    recoveries: world.recoveries.all.filter(({ state }) => state.kind === 'done').length,
    processesEnded: world.bugs.length,
    digest: trace.digest(),
    violations,
    faults: Object.fromEntries([...faults.counts, ...situations.counts]),
    happened: faults.happened,
    sitesSeen: [...sites.seen],
    sitesCrashed: [...sites.crashed],
  };
}
