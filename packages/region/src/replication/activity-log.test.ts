import { type Conflict, formatStamp, REFUSALS, type Stamp, TransientError } from '@tandem/core';
import { createVirtualClock } from '@tandem/core/memory';
import type { CopyRecord, MirrorRecord } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
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
  const activity = createActivity({ driftMsMax: 60_000, logger, clock: createVirtualClock(1_000) });
  activity.onOutage(new TransientError('TABLE_UNAVAILABLE', 'No answer.'), 1, 500);
  expect(activity.notices.current()).toEqual([]);
  activity.onOutage(new TransientError('CLOCK_AHEAD', 'It is ahead.'), 2, 500);
  expect(activity.notices.current()).toMatchObject([
    { kind: 'clock-ahead', detail: 'It is ahead.' },
  ]);
  expect(lines.map(({ event }) => event)).toEqual([
    'apply-interrupted',
    'clock-ahead',
    'apply-interrupted',
  ]);
});

test('a message id from outside has a bound', () => {
  const { logger, lines } = recordLog();
  const log = createActivityLog({ logger, clock: { nowMs: () => 1_000 } });
  log.onDeadLettered(MESSAGE, { kind: 'abandon' });
  expect(String(lines[0]?.['messageId'])).toHaveLength(200);
  expect(lines[0]).toMatchObject({ reason: 'abandon' });
});

test('a reason is told once a minute, with what to do and how many came meanwhile', () => {
  const { logger, lines } = recordLog();
  const wall = { ms: 1_000_000 };
  const log = createActivityLog({ logger, clock: { nowMs: () => wall.ms } });
  const refuse = (reason: string): void =>
    log.onDeadLettered(MESSAGE, { kind: 'dead-letter', reason, description: '' });
  for (let count = 0; count < 1_000; count += 1) refuse('STAMP_IMPOSSIBLE');
  refuse('BUCKET_WRONG');
  wall.ms += 59_999;
  refuse('STAMP_IMPOSSIBLE');
  wall.ms += 1;
  refuse('STAMP_IMPOSSIBLE');
  expect(lines).toMatchObject([
    { reason: 'STAMP_IMPOSSIBLE', untold: 0, remedy: REFUSALS.STAMP_IMPOSSIBLE },
    { reason: 'BUCKET_WRONG', untold: 0 },
    { reason: 'STAMP_IMPOSSIBLE', untold: 1_000 },
  ]);
});

test('stamps from a clock far ahead are told of once a second', () => {
  const { logger, lines } = recordLog();
  const wall = { ms: 5_000 };
  const log = createActivityLog({ logger, clock: { nowMs: () => wall.ms } });
  const drift = () => log.onDrift({ stamp: stamp('west'), aheadMs: 90_000, driftMsMax: 60_000 });
  for (wall.ms of [5_000, 5_000, 5_999]) drift();
  expect(lines).toHaveLength(1);
  for (wall.ms of [6_000, 6_000, 6_999]) drift();
  expect(lines).toHaveLength(2);
});

test('what is done is counted from the start, and what is refused by its reason', () => {
  const clock = createVirtualClock(1_000);
  const activity = createActivity({ driftMsMax: 60_000, logger: recordLog().logger, clock });
  const before = activity.counts();
  expect(before).toEqual({
    conflicts: 0,
    relayed: 0,
    deadLettered: 0,
    refused: {},
    received: 0,
    trimmed: {},
    purged: 0,
    copied: 0,
  });
  const refuse = (reason: string): void =>
    activity.onDeadLettered(MESSAGE, { kind: 'dead-letter', reason, description: '' });
  for (const reason of ['BUCKET_WRONG', 'BUCKET_WRONG', 'STAMP_IMPOSSIBLE', 'of another']) {
    refuse(reason);
  }
  activity.onDeadLettered(MESSAGE, { kind: 'abandon' });
  for (let time = 0; time < 2; time += 1) {
    activity.onConflict(CONFLICT);
    activity.noteRelayed(3);
    activity.noteReceived(4);
    activity.notePurged(5);
    activity.noteTrimmed({ table: 'Archive', rows: 6 });
  }
  activity.noteTrimmed({ table: 'Conflicts', rows: 7 });
  expect(activity.counts()).toEqual({
    conflicts: 2,
    relayed: 6,
    deadLettered: 5,
    refused: { BUCKET_WRONG: 2, STAMP_IMPOSSIBLE: 1 },
    received: 8,
    trimmed: { Archive: 12, Conflicts: 7 },
    purged: 10,
    copied: 0,
  });
  // Whoever asked before keeps what he was told.
  expect(before).toMatchObject({ refused: {}, trimmed: {} });
});

test('is known to wait out an outage by when it last tried again', async () => {
  const clock = createVirtualClock(1_000);
  const activity = createActivity({ driftMsMax: 60_000, logger: recordLog().logger, clock });
  expect(activity.lastOutageMs()).toBeUndefined();
  const down = new TransientError('TABLE_UNAVAILABLE', 'No answer.');
  activity.onOutage(down, 1, 500);
  await clock.advance(500);
  activity.onOutage(down, 2, 500);
  expect(activity.lastOutageMs()).toBe(1_500);
});

describe('copies and mirrors', () => {
  const record: CopyRecord = {
    behind: 'b',
    startedMs: 1_000,
    updatedMs: 3_000,
    read: 40,
    written: 30,
    refusedCount: 2,
    refused: [],
    strayCount: 1,
    stray: [],
    trouble: '',
  };
  const mirror: MirrorRecord = {
    sinceMs: 0,
    behind: '',
    passStartedMs: 9_000,
    equalMs: 7_000,
    passMs: 500,
    passes: 2,
    rows: 20,
    read: 3,
    written: 20,
    deleted: 0,
    refused: 1,
    refusedBefore: 4,
    refusal: 'x',
    trouble: '',
  };
  const open = (nowMs = 10_000) =>
    createActivity({
      driftMsMax: 60_000,
      logger: recordLog().logger,
      clock: createVirtualClock(nowMs),
    });

  test('are told with their pace, and of their trouble the code alone', () => {
    const activity = open();
    activity.noteCopy({ table: 'Orders', record, rows: 100, written: 7 });
    activity.noteCopy({ table: 'Events', record, written: 2 });
    activity.noteCopy({
      table: 'Orders',
      record: { ...record, read: 50, trouble: 'TABLE_FORBIDDEN: AccountKey=hunter2' },
      rows: 100,
    });
    const told = { written: 30, refused: 2, stray: 1 };
    // The one that was noted last is at the end.
    expect(activity.copies()).toEqual([
      { ...told, table: 'Events', read: 40, rowsPerSecond: 20, leftMs: null, troubleCode: null },
      {
        ...told,
        table: 'Orders',
        read: 50,
        rowsPerSecond: 25,
        leftMs: 2_000,
        troubleCode: 'TABLE_FORBIDDEN',
      },
    ]);
    expect(activity.counts().copied).toBe(9);
  });

  test('are told of the last twenty copies', () => {
    const activity = open();
    for (let number = 0; number < 20; number += 1) {
      activity.noteCopy({ table: `t${number}`, record });
    }
    expect(activity.copies()).toHaveLength(20);
    activity.noteCopy({ table: 't0', record });
    activity.noteCopy({ table: 't20', record });
    const names = activity.copies().map(({ table }) => table);
    expect(names).toHaveLength(20);
    expect(names).not.toContain('t1');
    expect(names.slice(-2)).toEqual(['t0', 't20']);
  });

  test('are those mirrors that were noted last, with what either pass could not bring there', () => {
    const activity = open();
    expect(activity.mirrors()).toEqual([]);
    activity.noteMirrors([{ table: 'Gone', record: mirror }]);
    activity.noteMirrors([
      { table: 'New', record: undefined },
      { table: 'Orders', record: mirror },
      {
        table: 'Events',
        record: { ...mirror, refused: 5, equalMs: 0, trouble: 'TABLE_MISSING: AccountKey=hunter2' },
      },
    ]);
    expect(activity.mirrors()).toEqual([
      { table: 'New', lagMs: null, rows: 0, refused: 0, troubleCode: null },
      { table: 'Orders', lagMs: 3_000, rows: 20, refused: 4, troubleCode: null },
      { table: 'Events', lagMs: null, rows: 20, refused: 5, troubleCode: 'TABLE_MISSING' },
    ]);
  });
});
