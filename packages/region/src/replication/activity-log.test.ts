import { type Conflict, formatStamp, REFUSALS, type Stamp, TransientError } from '@tandem/core';
import { createVirtualClock } from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { recordLog } from '../testing/record-log.ts';
import { createActivity, createActivityLog } from './activity.ts';

const stamp = (region: string): Stamp =>
  formatStamp({ timeMs: 1_000, counter: 0, region, writer: 'w1' });

const CONFLICT: Conflict = {
  entityKind: 'Customers',
  entityId: 'c1',
  stamps: [stamp('east'), stamp('west')],
  fields: [
    {
      name: 'email',
      winner: { stamp: stamp('west'), value: { type: 'String', value: 'winner@example.org' } },
      loser: { stamp: stamp('east'), value: { type: 'String', value: 'loser@example.org' } },
    },
  ],
  life: undefined,
};

const MESSAGE = {
  messageId: 'x'.repeat(1_000),
  subject: 'change-set',
  body: new TextEncoder().encode('payload'),
  sequenceNumber: 7n,
  deliveryCount: 2,
};

test('every line has its event, ids and names, and never a value or a payload', () => {
  const { logger, lines } = recordLog();
  const log = createActivityLog({ logger, clock: { nowMs: () => 1_000 } });
  log.onConflict(CONFLICT);
  log.onDeadLettered(MESSAGE, {
    kind: 'dead-letter',
    reason: 'CHANGE_UNDECODABLE',
    description: 'secret description',
  });
  log.onOutage(new TransientError('TABLE_UNAVAILABLE', 'The table does not answer.'), 3, 500);
  log.onNotice({
    kind: 'outbox-row-damaged',
    subject: 'Customers/0a/~o~bad',
    detail: 'it cannot be read',
    count: 1,
    sinceMs: 1,
    lastMs: 1,
  });
  log.onDrift({ stamp: stamp('west'), aheadMs: 90_000, driftMsMax: 60_000 });
  expect(lines).toMatchObject([
    { event: 'conflict-recorded', entityId: 'c1', fields: ['email'] },
    { event: 'message-dead-lettered', reason: 'CHANGE_UNDECODABLE', sequenceNumber: '7' },
    { event: 'apply-interrupted', attempt: 3, error: { code: 'TABLE_UNAVAILABLE' } },
    { event: 'outbox-row-damaged', subject: 'Customers/0a/~o~bad' },
    { event: 'clock-drift', stamp: stamp('west'), aheadMs: 90_000 },
  ]);
  expect(JSON.stringify(lines)).not.toMatch(/@example|payload|secret description/);
});

test('a clock that the store contradicts is noticed, another outage is not', () => {
  const { logger, lines } = recordLog();
  const activity = createActivity({ logger, clock: createVirtualClock(1_000) });
  activity.onOutage(new TransientError('TABLE_UNAVAILABLE', 'No answer.'), 1, 500);
  expect(activity.notices.current()).toEqual([]);
  activity.onOutage(new TransientError('CLOCK_AHEAD', 'It is ahead.'), 2, 500);
  expect(activity.notices.current()).toMatchObject([
    { kind: 'clock-ahead', detail: 'It is ahead.' },
  ]);
  expect(lines.map(({ event }) => event)).toContain('clock-ahead');
});

test('a message id from outside has a bound', () => {
  const { logger, lines } = recordLog();
  const log = createActivityLog({ logger, clock: { nowMs: () => 1_000 } });
  log.onDeadLettered(MESSAGE, { kind: 'abandon' });
  expect(String(lines[0]?.['messageId'])).toHaveLength(200);
});

test('a reason is told once a minute, with what to do and how many came meanwhile', () => {
  const { logger, lines } = recordLog();
  const wall = { ms: 0 };
  const log = createActivityLog({ logger, clock: { nowMs: () => wall.ms } });
  const refuse = (reason: string): void =>
    log.onDeadLettered(MESSAGE, { kind: 'dead-letter', reason, description: '' });
  for (let count = 0; count < 1_000; count += 1) refuse('STAMP_IMPOSSIBLE');
  refuse('BUCKET_WRONG');
  wall.ms = 60_000;
  refuse('STAMP_IMPOSSIBLE');
  expect(lines).toMatchObject([
    { reason: 'STAMP_IMPOSSIBLE', untold: 0, remedy: REFUSALS.STAMP_IMPOSSIBLE },
    { reason: 'BUCKET_WRONG', untold: 0 },
    { reason: 'STAMP_IMPOSSIBLE', untold: 999 },
  ]);
});
