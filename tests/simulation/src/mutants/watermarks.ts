import { CORE, type Mutant } from './mutant.ts';

const SWEEP = `${CORE}outbound/sweep.ts`;
const WATERMARK = `${CORE}wire/watermark.ts`;
const HEARTBEAT = `${CORE}inbound/heartbeat.ts`;

/** Faults of what one region says of how far it has got. */
export const watermarkMutants: readonly Mutant[] = [
  {
    id: 'watermark-from-empty-queue',
    title: 'an empty inbound queue counts as having passed everything',
    edits: [
      {
        file: HEARTBEAT,
        find: 'peers: await peerProgress() };',
        replace:
          'peers: (await peerProgress()).map((one) =>\n' +
          '        left !== undefined && left.oldest === undefined ? { ...one, passedMs: nowMs } : one) };',
      },
    ],
  },
  {
    id: 'watermark-after-scan',
    title: 'the time of a watermark is taken after the scan',
    edits: [
      {
        file: SWEEP,
        find: 'watermarkTimeMs({ scanStartedMs, oldestOwedMs:',
        replace: 'watermarkTimeMs({ scanStartedMs: options.clock.nowMs(), oldestOwedMs:',
      },
    ],
    seedsMax: 400,
  },
  {
    id: 'watermark-ignores-owed',
    title: 'a watermark claims what is still owed',
    edits: [
      {
        file: WATERMARK,
        find: 'return Math.min(scanStartedMs, oldestOwedMs ?? scanStartedMs);',
        replace: 'return Math.max(scanStartedMs, Math.min(0, oldestOwedMs ?? 0));',
      },
    ],
  },
  {
    id: 'watermark-dated-ahead',
    title: 'what a clock that ran ahead has committed counts as committed when its time comes',
    edits: [
      {
        file: SWEEP,
        find: 'isUndated(entry) ? UNKNOWN_MS : entry.committedAfterMs;',
        replace: 'isUndated(entry) ? entry.committedAfterMs : entry.committedAfterMs;',
      },
    ],
  },
  {
    id: 'watermark-passed-at-once',
    title: 'a watermark counts as passed when it is received',
    edits: [
      {
        file: WATERMARK,
        find: '.filter((one) => lowestLeft === undefined || lowestLeft > one.sequenceNumber)',
        replace:
          '.filter((one) => lowestLeft === undefined || lowestLeft + 1_000_000n > one.sequenceNumber)',
      },
    ],
  },
  {
    id: 'watermark-noted-during-look',
    title: 'a watermark that arrived during the look at the queue counts as looked at',
    edits: [
      {
        file: HEARTBEAT,
        find: 'tracker.settle(received, oldest?.sequenceNumber);',
        replace: 'tracker.settle(received && tracker.pending(), oldest?.sequenceNumber);',
      },
    ],
    seedsMax: 2_000,
  },
  {
    id: 'began-in-the-future',
    title:
      'a process that began by a clock which ran ahead believes no heartbeat until that time comes',
    edits: [
      {
        file: `${CORE}readiness/decide-readiness.ts`,
        find: 'const beganMs = startedMs <= nowMs ? startedMs : 0;',
        replace: 'const beganMs = startedMs;',
      },
    ],
    seedsMax: 1_100,
  },
  {
    id: 'claims-of-any-time',
    title: 'a claim of a time to come is believed, and remembered',
    edits: [
      {
        file: `${CORE}arrival/claims.ts`,
        find: 'return claimMs >= 0 && claimMs <= nowMs + driftMsMax;',
        replace: 'return claimMs >= 0 || nowMs + driftMsMax < 0;',
      },
      {
        file: `${CORE}arrival/claims.ts`,
        find: '  return Math.min(claimMs, own.nowMs);',
        replace: '  return claimMs;',
      },
    ],
  },
];
