import {
  countOutboxRows,
  eraseEntity,
  findTraces,
  newestStamp,
  hasSeen,
  type Stamp,
  TransientError,
} from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import { duration } from '../option-values.ts';
import type { CliRegion } from '../regions/cli-region.ts';
import { findHolding } from '../regions/holding-messages.ts';
import { withQueue } from '../regions/open-queue.ts';
import { openWriter } from '../regions/open-writer.ts';
import { countCopies, eraseCopies } from '../regions/replayed-copies.ts';
import { describeForget, type RegionTraces } from '../report/describe-forget.ts';
import type { Session } from '../session.ts';

interface ForgetOptions {
  readonly apply: boolean;
  readonly wait: number;
}

const WAIT_MS_DEFAULT = 120_000;
const LOOK_EVERY_MS = 1_000;

const HELP = `
Deletes the entity by a write that keeps no value, waits until every region has it, and then erases what
archives, conflicts, dead letters and tables of replays hold of it. Stamps and id stay, so that regions
stay equal and a replay brings nothing back. All regions must be within reach; repeat it until it says
that nothing is left. What storage or namespace keep as backups is not touched. A dead letter that holds other
entities too is discarded whole: tandem verify tells whether one of them is missed, and repair brings it back.
`;

export function addForget({ program, act }: Cli): void {
  const command = program
    .command('forget')
    .argument('<id>')
    .description('Erases what is known of one entity in every region, and proves it.')
    .option(
      '--wait <duration>',
      'for every region to have the deletion',
      duration(1),
      WAIT_MS_DEFAULT,
    )
    .option('--apply', 'does it', false)
    .addHelpText('after', HELP);
  act<ForgetOptions>(command, (session, options, [id = '']) =>
    forget(session, options, id.toLowerCase()),
  );
}

async function forget(session: Session, options: ForgetOptions, id: string): Promise<Outcome> {
  const regions = await session.open();
  const before = await findAll(session, regions, id);
  if (!options.apply) return describeForget(id, before, 'planned');
  return session.alone(regions, async () => {
    const stamp = await writeForgetting(session, regions, id);
    await untilGone(session, regions, { id, stamp, waitMs: options.wait });
    for (const region of regions) {
      await eraseEntity(region.recovery, id);
      await discardLetters(session, region, id);
      await eraseCopies(session, region, id);
    }
    return describeForget(id, await findAll(session, regions, id), 'applied');
  });
}

/** In the region whose row is newest; undefined where no region has one. */
async function writeForgetting(
  session: Session,
  regions: readonly CliRegion[],
  id: string,
): Promise<Stamp | undefined> {
  let latest: { readonly region: CliRegion; readonly stamp: Stamp } | undefined;
  for (const region of regions) {
    const { replica } = region.recovery;
    const row = (await replica.read(replica.bucketOf(id), [id])).get(id);
    const stamp = row && newestStamp(row.state.vector);
    if (row === undefined || stamp === undefined) continue;
    if (latest === undefined || stamp > latest.stamp) latest = { region, stamp };
  }
  if (latest === undefined) return undefined;
  const table = await openWriter(latest.region, session.io);
  const outcome = await table.forget(id);
  return outcome.kind === 'deleted' ? newestStamp(outcome.version) : latest.stamp;
}

interface Awaited {
  readonly id: string;
  readonly stamp: Stamp | undefined;
  readonly waitMs: number;
}

/**
 * Until the deletion is in every row and nothing older is under way: what arrived later would be
 * archived with its values. Throws `STATE_NOT_REACHED`, naming the regions.
 */
async function untilGone(
  session: Session,
  regions: readonly CliRegion[],
  { id, stamp, waitMs }: Awaited,
): Promise<void> {
  const { clock, signal } = session.io;
  const peers = regions.map(({ name }) => name);
  const endMs = clock.nowMs() + waitMs;
  for (;;) {
    const late: string[] = [];
    for (const region of regions) {
      if (await isUnderWay(session, region, { id, stamp, peers })) late.push(region.name);
    }
    if (late.length === 0) return;
    signal.throwIfAborted();
    if (clock.nowMs() >= endMs) {
      throw new TransientError(
        'STATE_NOT_REACHED',
        `The deletion is made and has not reached ${late.join(', ')} yet; nothing was erased from the ` +
          'archives. Repeat this once they have caught up.',
      );
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

async function isUnderWay(
  session: Session,
  region: CliRegion,
  { id, stamp, peers }: Omit<Awaited, 'waitMs'> & { readonly peers: readonly string[] },
): Promise<boolean> {
  const { replica } = region.recovery;
  const row = (await replica.read(replica.bucketOf(id), [id])).get(id);
  if (stamp !== undefined && (row === undefined || !hasSeen(row.state.vector, stamp))) return true;
  // Not all of the traces: this is asked every second, and an archive is long.
  if ((await countOutboxRows(region.recovery, id, peers)) > 0) return true;
  return withQueue(
    region,
    session.io,
    async (queue) => (await findHolding(queue, 'messages', id)).length > 0,
  );
}

async function discardLetters(session: Session, region: CliRegion, id: string): Promise<void> {
  await withQueue(region, session.io, async (queue) => {
    const holding = await findHolding(queue, 'dead-letters', id);
    if (holding.length > 0) await queue.settle(new Set(holding), 'discard');
  });
}

async function findAll(
  session: Session,
  regions: readonly CliRegion[],
  id: string,
): Promise<readonly RegionTraces[]> {
  const found: RegionTraces[] = [];
  for (const region of regions) {
    const peers = regions.map(({ name }) => name);
    const traces = await findTraces(region.recovery, id, peers);
    const [queued, deadLetters] = await withQueue(region, session.io, async (queue) => [
      (await findHolding(queue, 'messages', id)).length,
      (await findHolding(queue, 'dead-letters', id)).length,
    ]);
    const replayTables = await countCopies(session, region, id);
    found.push({ ...traces, queued: queued ?? 0, deadLetters: deadLetters ?? 0, replayTables });
  }
  return found;
}
