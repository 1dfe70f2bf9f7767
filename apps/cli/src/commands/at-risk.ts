import type { RiskSurvey, WriteAtRisk } from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import {
  chooseRows,
  nameRow,
  type RowChoice,
  requireReplicated,
  rowJson,
  withRow,
} from '../regions/choose-kind.ts';
import { surveyRegion } from '../regions/look-at-regions.ts';
import { firstRows, textTable, timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

const SHOWN_MAX = 50;

const HELP = `
Lost: acknowledged in the region, and no other region has it in its rows, its queue or its dead letters.
Delayed: another has it, but not all show it yet. A peer that cannot be reached counts as having nothing.
Writes acknowledged after the time that is printed are not in the list.
`;

export function addAtRisk({ program, act }: Cli): void {
  const command = program
    .command('at-risk')
    .requiredOption('--region <region>', 'the region that would vanish')
    .option('--bucket <bucket>', 'only this bucket, 00 to ff')
    .description(
      'Lists the writes that would be lost or late if a region vanished now, one by one.',
    )
    .addHelpText('after', HELP);
  act<AtRiskOptions>(withRow(command), list);
}

interface AtRiskOptions extends RowChoice {
  readonly region: string;
  readonly bucket?: string;
}

async function list(session: Session, options: AtRiskOptions): Promise<Outcome> {
  const { region: name, bucket } = options;
  requireReplicated(session, `All that ${name} has of it would be lost.`);
  const isChosen = chooseRows(session, options);
  const asOfMs = session.io.clock.nowMs();
  const survey = await surveyRegion(session, { name, bucket });
  const writes = survey.writes.filter(({ entityId }) => isChosen(entityId));
  return toOutcome(session, name, { asOfMs, ...survey, writes });
}

interface Findings extends RiskSurvey {
  readonly asOfMs: number;
}

function toOutcome(session: Session, region: string, findings: Findings): Outcome {
  const { asOfMs, writes, outOfReach, unreadable } = findings;
  const lost = writes.filter(({ fate }) => fate === 'lost');
  const delayed = writes.filter(({ fate }) => fate === 'delayed');
  const [shown, more] = firstRows([...lost, ...delayed], SHOWN_MAX);
  const rows = shown.map(({ fate, entityId, operation, stamp, places }) => [
    fate,
    nameRow(session, entityId),
    operation,
    stamp,
    Object.entries(places)
      .map(([peer, place]) => `${peer}: ${place}`)
      .join(', '),
  ]);
  return {
    text: [
      ...(writes.length === 0
        ? []
        : [textTable(['fate', 'id', 'operation', 'stamp', 'where it is'], rows) + more]),
      `If ${region} vanished now, ${lost.length} writes would be lost and ${delayed.length} late ` +
        `(as of ${timeText(asOfMs)}).`,
      ...outOfReach.map((peer) => `${peer} is out of reach: it may have more than is said here.`),
      ...(unreadable.length === 0
        ? []
        : [
            `${unreadable.length} rows of the outbox cannot be read or were set aside: what they hold would be ` +
              'lost too.',
          ]),
    ].join('\n'),
    json: {
      region,
      asOfMs,
      lost: lost.map((write) => writeJson(session, write)),
      delayed: delayed.map((write) => writeJson(session, write)),
      outOfReach,
      unreadable,
    },
    exitCode: lost.length + unreadable.length === 0 ? EXIT.ok : EXIT.finding,
  };
}

function writeJson(session: Session, write: WriteAtRisk): object {
  const { entityId, bucket, stamp, operation, committedMs, places } = write;
  return { ...rowJson(session, entityId), bucket, stamp, operation, committedMs, places };
}
