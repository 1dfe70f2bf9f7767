import type { Cli, Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import { isReady, lookAtRegions } from '../regions/look-at-regions.ts';
import { describeStatus, toStatusJson } from '../report/describe-status.ts';

export function addStatus({ program, act }: Cli): void {
  const command = program
    .command('status')
    .description(
      'How every region is, from its own tables, queue and API: ready or why not, lag, what it owes, what ' +
        'waits, dead letters, conflicts, clock, when all were last proven equal, how far back its archive goes.',
    );
  act(command, async (session): Promise<Outcome> => {
    const sights = await lookAtRegions(session);
    const isFine = sights.every(isReady);
    return {
      text: describeStatus(sights),
      json: { regions: sights.map(toStatusJson) },
      exitCode: isFine ? EXIT.ok : EXIT.finding,
    };
  });
}
