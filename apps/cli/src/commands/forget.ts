import { isReplicated, type QueueViewer } from '@tandem/core';
import { findAllTraces, forgetEntity } from '@tandem/storage';
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
import { withQueue } from '../regions/region.ts';
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
  const { io, kind } = session;
  const name = nameRow(session, id);
  const opened = await session.open();
  const regions = opened.map((region) => ({
    ...region,
    kind,
    withQueue: <T>(work: (queue: QueueViewer) => Promise<T>) => withQueue(region, io, work),
    openTable: () => openForgetting(region, kind, io),
  }));
  const { clock, signal } = io;
  const wanted = { entityId: id, clock, signal, waitMs: options.wait };
  // What is not replicated is in each region another row, whose deletion no other region is to get.
  const apart = isReplicated(kind.name) ? [regions] : regions.map((region) => [region]);
  const before = await inTurn(apart, (some) => findAllTraces({ ...wanted, regions: some }));
  const isKnown = before.some((one) => one.isKnown || countTraces(one) > 0 || one.unreadable > 0);
  if (!isKnown) throw new NotFoundError(`No region has ever heard of ${name}.`);
  if (!options.apply)
    return describeForget({ name, json: rowJson(session, id) }, before, 'planned');
  return session.alone(opened, async () => {
    const left = await inTurn(apart, (some) => forgetEntity({ ...wanted, regions: some }));
    return describeForget({ name, json: rowJson(session, id) }, left, 'applied');
  });
}

async function inTurn<T, R>(
  parts: readonly T[],
  work: (part: T) => Promise<readonly R[]>,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (const part of parts) results.push(...(await work(part)));
  return results;
}
