import { type RiskSurvey, surveyRisk, type WriteAtRisk } from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import { withTable } from '../regions/choose-kind.ts';
import { chooseBuckets, withQueue } from '../regions/region.ts';
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
  act<AtRiskOptions>(withTable(command), list);
}

interface AtRiskOptions {
  readonly region: string;
  readonly bucket?: string;
}

async function list(session: Session, { region: name, bucket }: AtRiskOptions): Promise<Outcome> {
  const asOfMs = session.io.clock.nowMs();
  const region = await session.openOne(name);
  const buckets = chooseBuckets(region.recovery.buckets, bucket);
  const { regions } = await session.inventory();
  const peers = regions.map((one) => one.name).filter((other) => other !== name);
  const survey = await surveyRisk({
    region: name,
    outbox: region.recovery.outbox,
    buckets,
    peers,
    async openPeer(peer) {
      const opened = await session.openToFill(peer, region.bucketCount);
      return {
        replica: opened.recovery.replica,
        withQueue: (work) => withQueue(opened, session.io, work),
      };
    },
  });
  return toOutcome(name, { asOfMs, ...survey });
}

interface Findings extends RiskSurvey {
  readonly asOfMs: number;
}

function toOutcome(region: string, findings: Findings): Outcome {
  const { asOfMs, writes, outOfReach, unreadable } = findings;
  const lost = writes.filter(({ fate }) => fate === 'lost');
  const delayed = writes.filter(({ fate }) => fate === 'delayed');
  const [shown, more] = firstRows([...lost, ...delayed], SHOWN_MAX);
  const rows = shown.map(({ fate, entityId, operation, stamp, places }) => [
    fate,
    entityId,
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
      lost: lost.map(writeJson),
      delayed: delayed.map(writeJson),
      outOfReach,
      unreadable,
    },
    exitCode: lost.length + unreadable.length === 0 ? EXIT.ok : EXIT.finding,
  };
}

function writeJson(write: WriteAtRisk): object {
  const { entityId, bucket, stamp, operation, committedMs, places } = write;
  return { id: entityId, bucket, stamp, operation, committedMs, places };
}
