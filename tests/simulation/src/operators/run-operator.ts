import { AppError, type Clock, pagesOf, type QueuedMessage } from '@tandem/core';
import { CONFLICTS_TABLE, createTableRegionHold } from '@tandem/storage';
import { UNTOLD_PREFIX } from '@tandem/storage/testing';
import type { Ledger } from '../observe/ledger.ts';
import { isAside } from '../processes/next-build.ts';
import type { ProcessContext } from '../processes/process-context.ts';
import type { Slot } from '../processes/slot.ts';
import { OUTBOX_PREFIX } from '../world/describe-transaction.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import { chooseCommand } from './choose-command.ts';
import type { Command, Recovery, Report } from './recovery-log.ts';
import { runCommand } from './run-command.ts';

const FIRST_MS_MAX = 6_000;
const BREAK_MS_MAX = 9_000;
const AGAIN_MS = 2_000;
/** Who was cut off runs the command again, as its help says; some never do. */
const AGAIN_PROBABILITY = 0.75;
const RUNS_MAX = 4;
const UNLEASED_PROBABILITY = 0.65;
const CLOSING_STEPS_MAX = 400;
/** A note of a conflict whose finder was cut off before it had recorded it stays for long, and tells nothing. */
const UNTOLD_STEPS_MAX = 15;
const PAGE_ROWS = 1_000;
const UNTOLD = { from: UNTOLD_PREFIX, before: `${UNTOLD_PREFIX}\uffff` };

/** What outlives the operator's process: what it was about. */
export interface OperatorDesk {
  readonly unfinished: Map<Slot, Recovery>;
  /** Commands begun so far, by slot. */
  readonly begun: Map<Slot, number>;
}

/** An operator at a terminal: one command after the other, in the time of the faults. */
export async function startOperator(
  context: ProcessContext,
  ledger: Ledger,
  desk: OperatorDesk,
): Promise<void> {
  const { incarnation, world } = context;
  const { draw, recoveries } = world;
  const { slot } = incarnation;
  const clock = context.clock('operator');
  const wait = (key: string, mostMs: number): Promise<void> =>
    clock.sleep(draw.integer(`${slot.name}.${key}`, [100, mostMs]));
  if (slot.starts === 1) await wait('first', FIRST_MS_MAX);
  while (incarnation.isAlive && !world.isClosing) {
    const cutOff = desk.unfinished.get(slot);
    const key = `${slot.name}.command${desk.begun.get(slot) ?? 0}`;
    const recovery =
      cutOff !== undefined && goesOn(world, cutOff)
        ? cutOff
        : recoveries.begin(chooseCommand(world, ledger, key), world.scheduler.nowMs());
    if (recovery !== cutOff) desk.begun.set(slot, (desk.begun.get(slot) ?? 0) + 1);
    desk.unfinished.set(slot, recovery);
    // Whoever was cut off has left the leases for longer than most runs last.
    const { state } = recovery;
    const isBusy = state.kind === 'failed' && state.code === 'RECOVERY_BUSY';
    const isLeased = !isBusy && !draw.chance(`${recovery.id}.unleased`, UNLEASED_PROBABILITY);
    const isDone = await attempt(context, recovery, isLeased);
    if (isDone) desk.unfinished.delete(slot);
    await wait(`break.${recovery.id}.${recovery.runs}`, isDone ? BREAK_MS_MAX : AGAIN_MS);
  }
}

function goesOn({ draw }: World, { id, runs }: Recovery): boolean {
  return runs < RUNS_MAX && draw.chance(`${id}.again.${runs}`, AGAIN_PROBABILITY);
}

/** False when it came to no good end, and can be run again. */
async function attempt(
  context: ProcessContext,
  recovery: Recovery,
  isLeased: boolean,
): Promise<boolean> {
  const { incarnation, world } = context;
  const { scheduler, trace, recoveries, situations } = world;
  const { kind } = recovery.command;
  recovery.runs += 1;
  recovery.runStartMs = scheduler.nowMs();
  if (recovery.plan !== undefined) recovery.formerPlans.push(recovery.plan);
  recovery.plan = undefined;
  recovery.state = { kind: 'running' };
  if (recovery.runs > 1) situations.note('recovery-resumed');
  trace.note(`${recovery.id} run ${recovery.runs}: ${JSON.stringify(recovery.command)}`);
  let report: Report;
  try {
    report = await runCommand(context, recovery, { isLeased });
  } catch (error) {
    // What a process does once it is dead concerns nobody.
    if (!incarnation.isAlive) return false;
    if (!(error instanceof AppError)) throw error;
    recovery.state = { kind: 'failed', code: error.code };
    trace.note(`${recovery.id} failed: ${error.code}`);
    return !error.retryable;
  }
  if (!incarnation.isAlive) return false;
  trace.note(`${recovery.id} done: ${report.kind}`);
  situations.note(`recovered-by-${kind}`);
  recoveries.done(recovery, report);
  return true;
}

/**
 * When the faults are over: fills what lost its archive or is still held, makes the regions equal, and repeats
 * each forgetting until nothing is left, as the runbooks say. Then all must be proven equal.
 */
export async function closeRecovery(context: ProcessContext): Promise<void> {
  const { world } = context;
  const { recoveries, scheduler } = world;
  const clock = context.clock('operator');
  const until = async (command: Command, isEnough: (report: Report) => boolean): Promise<void> => {
    for (let step = 0; step < CLOSING_STEPS_MAX; step += 1) {
      const recovery = recoveries.begin(command, scheduler.nowMs());
      await attempt(context, recovery, true);
      const { state } = recovery;
      if (state.kind === 'done' && isEnough(state.report)) return;
      await clock.sleep(AGAIN_MS);
    }
  };
  const isEqual = (report: Report): boolean =>
    (report.kind === 'rebuilt' || report.kind === 'verified') && report.proof.isEqual;
  const putBackAside = async (): Promise<void> => {
    for (const { name, namespace } of world.regions) {
      const hasAside = (): boolean =>
        namespace.bus.deadLettersOf(namespace.queue).some((one) => isAside(one));
      if (hasAside()) await until({ kind: 'resubmit', region: name }, () => !hasAside());
    }
  };
  await putBackAside();
  for (const region of await brokenRegions(world)) {
    await until({ kind: 'rebuild', target: region }, isEqual);
  }
  await untilNothingIsUnderWay(world, clock);
  // A row that was read while it was damaged may set a message aside long after it was mended.
  await putBackAside();
  await untilNothingIsUnderWay(world, clock);
  await until({ kind: 'repair' }, () => true);
  for (const entityId of recoveries.forgotten) {
    await until({ kind: 'forget', entityId }, isAllForgotten);
  }
  // A rebuild that was told no outcome may have held its region since.
  for (const region of await heldRegions(world))
    await until({ kind: 'rebuild', target: region }, isEqual);
  await until({ kind: 'verify' }, isEqual);
  recoveries.isClosed = true;
}

/**
 * A set that is still under way may tell of a row that its region has lost, which no repair would know of; and what
 * peers are still to be told of a conflict is nothing that anybody has to repair.
 */
async function untilNothingIsUnderWay(
  { regions }: World,
  clock: Pick<Clock, 'sleep'>,
): Promise<void> {
  let untoldLeast = Number.POSITIVE_INFINITY;
  let stepsSinceTold = 0;
  for (let step = 0; step < CLOSING_STEPS_MAX; step += 1) {
    const waiting: unknown[] = [];
    let untold = 0;
    for (const { account, namespace } of regions) {
      const { bus, queue } = namespace;
      const messages = await bus.viewerFor(queue).peek('messages', 0n, Number.MAX_SAFE_INTEGER);
      waiting.push(...messages.filter((message) => !isWatermark(message)));
      const partitions = { from: '', before: '\uffff' };
      const outbox = { table: gadgetKind.name, partitions, rowsFrom: OUTBOX_PREFIX, limit: 1 };
      waiting.push(...(await account.store.query(outbox)).rows);
      const range = { table: CONFLICTS_TABLE, partitions: UNTOLD, limit: PAGE_ROWS };
      for await (const { rows } of pagesOf((from) => account.store.query({ ...range, ...from })))
        untold += rows.length;
    }
    // As long as a region tells of some it may go on; what it never tells of must not keep the operator waiting.
    stepsSinceTold = untold < untoldLeast ? 0 : stepsSinceTold + 1;
    untoldLeast = Math.min(untold, untoldLeast);
    if (waiting.length === 0 && (untold === 0 || stepsSinceTold >= UNTOLD_STEPS_MAX)) return;
    await clock.sleep(AGAIN_MS);
  }
}

/** Watermarks never end; what tells of conflicts bears their subject, and is no watermark. */
function isWatermark({ subject, body }: Pick<QueuedMessage, 'subject' | 'body'>): boolean {
  return subject === 'watermark' && !Buffer.from(body).includes('"conflicts":');
}

/** Those that lost more than rows, and those that a rebuild left held. */
async function brokenRegions(world: World): Promise<readonly string[]> {
  return [...new Set([...(await heldRegions(world)), ...world.losses.needsFilling])];
}

async function heldRegions({ regions }: World): Promise<readonly string[]> {
  const held: string[] = [];
  for (const { name, account } of regions) {
    const hold = await createTableRegionHold({ store: account.store }).read();
    if (hold !== undefined) held.push(name);
  }
  return held;
}

function isAllForgotten(report: Report): boolean {
  if (report.kind !== 'forgotten') return false;
  return report.traces.every(
    ({ rows, archiveRows, conflicts, outboxRows, queued, deadLetters, replayTables }) =>
      rows + archiveRows + conflicts + outboxRows + queued + deadLetters + replayTables === 0,
  );
}
