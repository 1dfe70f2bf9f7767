import { isReplicated, otherRowsKind, type QueueViewer, rowsKind } from '@tandem/core';
import { findAllTraces, forgetEntity, type RegionTraces } from '@tandem/storage';
import type { Cli, Outcome } from '../act.ts';
import { NotFoundError } from '../exit-codes.ts';
import { duration } from '../option-values.ts';
import {
  nameRow,
  type RowChoice,
  readRowId,
  refuseCatalogue,
  rowJson,
  withRow,
} from '../regions/choose-kind.ts';
import { openForgetting } from '../regions/open-writer.ts';
import { type CliRegion, withQueue } from '../regions/region.ts';
import { countTraces, describeForget } from '../report/describe-recovery.ts';
import type { Session } from '../session.ts';

interface ForgetCommand extends RowChoice {
  readonly apply: boolean;
  readonly wait: number;
}

const WAIT_MS_DEFAULT = 120_000;

const HELP = `
Deletes the entity by a write that keeps no value, waits until every region has it, and then erases what
archives, conflicts, dead letters and tables of replays hold of it. Stamps and id stay, so that regions
stay equal and a replay brings nothing back. All regions must be within reach; repeat it until it says
that nothing is left. What storage or namespace keep as backups is not touched. Dead letters are
put back into their queue without its values; one that nobody can read, and that may hold some, is named and left.
`;

export function addForget({ program, act }: Cli): void {
  const command = program
    .command('forget')
    .argument('[id]')
    .description('Erases what is known of one entity in every region, and proves it.')
    .option(
      '--wait <duration>',
      'for every region to have the deletion',
      duration(1),
      WAIT_MS_DEFAULT,
    )
    .option('--apply', 'does it', false)
    .addHelpText('after', HELP);
  act<ForgetCommand>(withRow(command), async (session, options, [id]) => {
    refuseCatalogue(session, 'erased');
    return forget(session, options, readRowId(session, id, options));
  });
}

async function forget(session: Session, options: ForgetCommand, id: string): Promise<Outcome> {
  const name = nameRow(session, id);
  const { kind, table } = session;
  // What has moved left its values where it lay before, in rows and archives that nobody else reads any more.
  const isMoved = kind.name === otherRowsKind.name;
  const places = await openPlaces(isMoved ? [session, session.of(rowsKind, table)] : [session]);
  const before = await inTurn(places, ({ find }) => find(id));
  const isKnown = before.some((one) => one.isKnown || countTraces(one) > 0 || one.unreadable > 0);
  if (!isKnown) throw new NotFoundError(`No region has ever heard of ${name}.`);
  const told = { name, json: rowJson(session, id) };
  if (!options.apply) return describeForget(told, sumByRegion(before), 'planned');
  const [{ opened } = { opened: [] }] = places;
  return session.alone(opened, async () => {
    const left = await inTurn(places, async ({ find, erase }) => {
      const found = await find(id);
      const isThere = found.some((one) => one.isKnown || countTraces(one) > 0);
      return isThere ? erase(id, options.wait) : found;
    });
    return describeForget(told, sumByRegion(left), 'applied');
  });
}

/** Where rows of the kind, or of the table, of a session lie, in every region. */
interface Place {
  readonly opened: readonly CliRegion[];
  readonly find: (entityId: string) => Promise<readonly RegionTraces[]>;
  readonly erase: (entityId: string, waitMs: number) => Promise<readonly RegionTraces[]>;
}

async function openPlaces(sessions: readonly Session[]): Promise<readonly Place[]> {
  const places: Place[] = [];
  for (const session of sessions) {
    const { io, kind } = session;
    const { clock, signal } = io;
    const opened = await session.open();
    const regions = opened.map((region) => ({
      ...region,
      kind,
      withQueue: <T>(work: (queue: QueueViewer) => Promise<T>) => withQueue(region, io, work),
      openTable: () => openForgetting(region, kind, io),
    }));
    // What is not replicated is in each region another row, whose deletion no other region is to get.
    const apart = isReplicated(kind.name) ? [regions] : regions.map((region) => [region]);
    places.push({
      opened,
      find: (entityId) => inTurn(apart, (some) => findAllTraces({ regions: some, entityId })),
      erase: (entityId, waitMs) =>
        inTurn(apart, (some) => forgetEntity({ regions: some, entityId, clock, signal, waitMs })),
    });
  }
  return places;
}

/** Counts what is in several places of a region as one. */
function sumByRegion(found: readonly RegionTraces[]): readonly RegionTraces[] {
  const sums = new Map<string, RegionTraces>();
  for (const one of found) {
    const own = sums.get(one.region);
    sums.set(one.region, own === undefined ? one : addTraces(own, one));
  }
  return [...sums.values()];
}

function addTraces(a: RegionTraces, b: RegionTraces): RegionTraces {
  return {
    region: a.region,
    rows: a.rows + b.rows,
    archiveRows: a.archiveRows + b.archiveRows,
    conflicts: a.conflicts + b.conflicts,
    outboxRows: a.outboxRows + b.outboxRows,
    unreadable: a.unreadable + b.unreadable,
    isKnown: a.isKnown || b.isKnown,
    // One queue, which was asked for each place.
    queued: Math.max(a.queued, b.queued),
    deadLetters: Math.max(a.deadLetters, b.deadLetters),
    replayTables: a.replayTables + b.replayTables,
  };
}

async function inTurn<T, R>(
  parts: readonly T[],
  work: (part: T) => Promise<readonly R[]>,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (const part of parts) results.push(...(await work(part)));
  return results;
}
