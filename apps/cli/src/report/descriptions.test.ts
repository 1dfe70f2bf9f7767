import type { Difference, VerifyReport } from '@tandem/core';
import type { RegionTraces } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { linesOf } from '../testing/lines-of.ts';
import {
  countTraces,
  describeForget,
  describeRebuild,
  describeReplay,
  describeReplayPlan,
} from './describe-recovery.ts';
import { describeVerify } from './describe-verify.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 10);

const difference = (entityId: string): Difference =>
  ({
    entityId,
    bucket: '03',
    regions: { east: { life: 'alive' }, west: { life: 'absent' } },
    fields: [
      { name: 'email', values: {} },
      { name: 'firstName', values: {} },
    ],
  }) as unknown as Difference;

const many = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `id-${n}`);

const PROOF: VerifyReport = {
  asOfMs: NOW_MS,
  isEqual: true,
  buckets: [
    {
      bucket: '00',
      rows: new Map([
        ['east', 2],
        ['west', 3],
      ]),
      bytes: new Map([
        ['east', 1_000],
        ['west', 1_500],
      ]),
      digests: new Map([
        ['east', 'aa'],
        ['west', 'bb'],
      ]),
    },
    {
      bucket: '01',
      rows: new Map([['east', 4]]),
      bytes: new Map([['east', 234]]),
      digests: new Map([['east', 'cc']]),
    },
  ],
  settledCount: 0,
  differentCount: 0,
  differences: [],
  damaged: [],
  journals: {
    damagedCount: 0,
    recorded: new Map([
      ['east', 2],
      ['west', 1],
    ]),
    settledCount: 0,
    differentCount: 0,
    differences: [],
  },
} as unknown as VerifyReport;
const DAMAGED = [
  { region: 'east', bucket: '00', rowKey: 'a', problem: 'no version', isForeign: false },
  { region: 'west', bucket: '01', rowKey: 'b', problem: 'no id', isForeign: true },
] as VerifyReport['damaged'];
const UNEQUAL: VerifyReport = {
  ...PROOF,
  isEqual: false,
  settledCount: 2,
  differentCount: 21,
  differences: many(21).map(difference),
  damaged: DAMAGED,
};

const REBUILT = {
  archiveRowsCopied: 30,
  rowsWritten: 70,
  conflictsCopied: 4,
  damagedArchiveRows: [],
  proof: PROOF,
  doubtful: [],
};

describe('what verify says', () => {
  const cost = { requests: { east: 5, west: 6 }, tookMs: 2_340 };

  test('of equal regions is when, how many rows and at what cost', () => {
    expect(linesOf(describeVerify(PROOF, cost))).toMatchInlineSnapshot(`
      [
        "bucket | east rows | west rows | east digest | west digest",
        "00 | 2 | 3 | aa | bb",
        "01 | 4 | 0 | cc",
        "Equal as of 2026-11-22T10:00:00.000Z.",
        "What clients wrote, by the formula of Table Storage: east 1,234 bytes, west 1,500 bytes.",
        "Read 9 rows and 3 conflicts in 2.3 s; requests: east 5, west 6.",
      ]
    `);
    const settled = describeVerify({ ...PROOF, settledCount: 2 }, cost);
    expect(settled).toContain('(2 were on their way and have arrived).');
  });

  test('of unequal ones is what differs, cut at twenty, and what is damaged', () => {
    const lines = linesOf(describeVerify(UNEQUAL, cost));
    expect(lines.slice(3, 5)).toMatchInlineSnapshot(`
      [
        "id | bucket | rows | fields that differ",
        "id-0 | 03 | east alive, west absent | email, firstName",
      ]
    `);
    expect(lines.slice(23)).toMatchInlineSnapshot(`
      [
        "id-19 | 03 | east alive, west absent | email, firstName",
        "… and 1 more; --json lists all of them.",
        "Damaged in east: row 00/a: no version Set it aside, then repair. See: tandem damaged-rows list --region east.",
        "Damaged in west: row 01/b: no id (none of ours) Set it aside, then repair. See: tandem damaged-rows list --region west.",
        "Not equal as of 2026-11-22T10:00:00.000Z: 21 rows differ, 2 are damaged (2 were on their way and have arrived). See: tandem repair.",
        "What clients wrote, by the formula of Table Storage: east 1,234 bytes, west 1,500 bytes.",
        "Read 9 rows and 3 conflicts in 2.3 s; requests: east 5, west 6.",
      ]
    `);
  });

  test('of journals that differ is which conflict, and which region lacks of it', () => {
    const stamps = ['019ab0000000-0000-east-w', '019ab0000001-0000-west-w'];
    const lacking = { bucket: '03', entityId: 'id-1', stamps, behind: ['east', 'west'] };
    const journals = { ...PROOF.journals, settledCount: 1, differentCount: 2 };
    const report = {
      ...PROOF,
      isEqual: false,
      settledCount: 2,
      journals: { ...journals, differences: [lacking] },
    } as unknown as VerifyReport;
    expect(linesOf(describeVerify(report, cost)).slice(3, 6)).toMatchInlineSnapshot(`
      [
        "at | id | bucket | conflict | lacking in",
        "2025-11-23T09:16:21.377Z | id-1 | 03 | 46a706d6dc89 | east, west",
        "Not equal as of 2026-11-22T10:00:00.000Z: 0 rows differ, 0 are damaged, 2 conflicts are not recorded everywhere (3 were on their way and have arrived). See: tandem repair.",
      ]
    `);
    expect(describeRebuild('west', { ...REBUILT, proof: report }, 1)).toMatchObject({
      exitCode: 3,
      json: { equal: false, different: 0, conflictsDifferent: 2 },
      text: expect.stringContaining('2 conflicts are not recorded everywhere) and stays held'),
    });
  });

  test('of records of conflicts that nobody can read is their number, and where they are named', () => {
    const journals = { ...PROOF.journals, damagedCount: 2 };
    const report = { ...PROOF, isEqual: false, journals } as unknown as VerifyReport;
    const sentence = '2 records of conflicts cannot be read (tandem damaged-rows list)';
    expect(describeVerify(report, cost)).toContain(sentence);
    expect(describeRebuild('west', { ...REBUILT, proof: report }, 1)).toMatchObject({
      exitCode: 7,
      json: { equal: false, conflictsDifferent: 0, conflictsDamaged: 2 },
      text: expect.stringContaining(sentence),
    });
  });

  test('of no bucket at all is no row', () => {
    const [head, verdict, read] = linesOf(describeVerify({ ...PROOF, buckets: [] }, cost));
    expect([head, read]).toEqual([
      'bucket',
      expect.stringContaining('Read 0 rows and 3 conflicts in 2.3 s'),
    ]);
    expect(verdict).toContain('Equal as of');
  });
});

describe('what a rebuild says', () => {
  const report = REBUILT;

  test('of a region that is equal', () => {
    expect(describeRebuild('west', report, 2_000)).toMatchInlineSnapshot(`
      {
        "exitCode": 0,
        "json": {
          "applied": true,
          "archiveRowsCopied": 30,
          "conflictsCopied": 4,
          "conflictsDamaged": 0,
          "conflictsDifferent": 0,
          "damaged": [],
          "damagedRows": [],
          "different": 0,
          "doubtful": [],
          "equal": true,
          "provenEqualAsOfMs": 1795341600000,
          "region": "west",
          "rowsPerS": 50,
          "rowsWritten": 70,
          "tookMs": 2000,
        },
        "text": "70 rows, 30 archive rows and 4 conflicts in 2.0 s: 50 rows a second.
      west is equal as of 2026-11-22T10:00:00.000Z, and no longer held.",
      }
    `);
    expect(describeRebuild('west', report, 0).json).toMatchObject({ rowsPerS: 100_000 });
  });

  test('of one that is not is why, and what was left alone', () => {
    const damagedArchiveRows = [
      { region: 'east', partitionKey: 'p', rowKey: 'r', problem: 'torn' },
    ];
    const doubtful = [difference('old')];
    const bad = { ...report, proof: UNEQUAL, damagedArchiveRows, doubtful };
    const { text, json, exitCode } = describeRebuild('west', bad, 2_000);
    expect(text.split('\n')).toMatchInlineSnapshot(`
      [
        "70 rows, 30 archive rows and 4 conflicts in 2.0 s: 50 rows a second.",
        "Damaged in the archive of east: p/r.",
        "Damaged in east: row 00/a: no version Set it aside, then repair. See: tandem damaged-rows list --region east.",
        "Damaged in west: row 01/b: no id (none of ours) Set it aside, then repair. See: tandem damaged-rows list --region west.",
        "Left alone, for they are older than every tombstone, and lost in one region or deleted in the other: old. See tandem history; then tandem repair --include-old, or delete them.",
        "west is not proven equal (21 rows differ, 2 are damaged) and stays held. Run it again.",
      ]
    `);
    expect({ exitCode, ...json }).toMatchObject({
      exitCode: 7,
      equal: false,
      provenEqualAsOfMs: null,
      different: 21,
      damaged: damagedArchiveRows,
      damagedRows: DAMAGED,
      doubtful: [{ id: 'old', bucket: '03' }],
    });
  });
});

describe('what forget says', () => {
  const traces = (region: string, more: Partial<RegionTraces> = {}): RegionTraces => ({
    region,
    isKnown: true,
    rows: 1,
    archiveRows: 2,
    conflicts: 3,
    outboxRows: 4,
    queued: 5,
    deadLetters: 6,
    replayTables: 7,
    unreadable: 0,
    ...more,
  });
  const none = {
    rows: 0,
    archiveRows: 0,
    conflicts: 0,
    outboxRows: 0,
    queued: 0,
    deadLetters: 0,
    replayTables: 0,
  };

  const ADA = { name: 'ada', json: { id: 'ada' } };

  test('before it is how many places there are', () => {
    expect(countTraces(traces('east'))).toBe(28);
    const { text, json, exitCode } = describeForget(
      ADA,
      [traces('east'), traces('west', none)],
      'planned',
    );
    expect(linesOf(text)).toMatchInlineSnapshot(`
      [
        "region | rows | archive | conflicts | outbox | queue | dead letters | replays",
        "east | 1 | 2 | 3 | 4 | 5 | 6 | 7",
        "west | 0 | 0 | 0 | 0 | 0 | 0 | 0",
        "28 places hold values of ada. Run it again with --apply to erase them.",
      ]
    `);
    expect({ exitCode, ...json }).toMatchObject({
      exitCode: 0,
      id: 'ada',
      applied: false,
      left: 28,
    });
    expect(json['regions']).toHaveLength(2);
  });

  test.each([
    [none, 0, 'Nothing with values of ada left.'],
    [{ ...none, queued: 1 }, 3, '1 places with values of ada left: '],
    [{ ...none, unreadable: 2 }, 3, '2 rows of its bucket cannot be read, and may hold some.'],
  ])('after it is whether all are gone: %j', (left, exitCode, told) => {
    const outcome = describeForget(ADA, [traces('east', left)], 'applied');
    expect(outcome).toMatchObject({ exitCode, json: { applied: true } });
    expect(outcome.text).toContain(told);
    expect(outcome.text.includes('cannot be read')).toBe('unreadable' in left);
  });
});

describe('what a replay says', () => {
  const options = { inPlace: true, before: NOW_MS, since: NOW_MS - 1_000 };
  const damaged = [{ partitionKey: 'p', rowKey: 'r', problem: 'torn' }];
  const what = { what: 'Restored in east', counts: { written: 2, deleted: 1 } };

  test('once it is done is what it did, and nothing of what it did not find', () => {
    expect(
      describeReplay({ options: { inPlace: true } }, { damaged: [] }, what),
    ).toMatchInlineSnapshot(`
      {
        "exitCode": 0,
        "json": {
          "applied": true,
          "beforeMs": null,
          "damaged": [],
          "deleted": 1,
          "leftAlone": [],
          "outOfReach": [],
          "sinceMs": null,
          "unarchived": [],
          "written": 2,
        },
        "text": "Restored in east: written 2, deleted 1.",
      }
    `);
  });

  test('is all that it left alone', () => {
    const findings = { damaged, unarchived: ['u'], outOfReach: ['north'], leftAlone: many(21) };
    const { text, json } = describeReplay({ options }, findings, what);
    expect(text.split('\n')).toMatchInlineSnapshot(`
      [
        "Restored in east from 2026-11-22T09:59:59.000Z on to 2026-11-22T10:00:00.000Z: written 2, deleted 1.",
        "Left alone, for they were written since this was planned: id-0, id-1, id-2, id-3, id-4, id-5, id-6, id-7, id-8, id-9, id-10, id-11, id-12, id-13, id-14, id-15, id-16, id-17, id-18, id-19.",
        "… and 1 more; --json lists all of them. Run it again without --apply to see what is left to do.",
        "Left alone, for the archive lacks writes of theirs from before then: u. Wait until the outbox is empty, or replay from another region.",
        "Left out p/r: torn",
        "north is out of reach and was given nothing: tandem repair, once it is back.",
      ]
    `);
    expect(json).toMatchObject({ sinceMs: NOW_MS - 1_000, beforeMs: NOW_MS, ...findings });
  });

  test.each([
    [{ damaged }, 7],
    [{ damaged: [], unarchived: ['u'] }, 7],
    [{ damaged: [], outOfReach: ['north'] }, 3],
    [{ damaged: [], leftAlone: ['x'] }, 3],
    [{ damaged, leftAlone: ['x'] }, 7],
    [{ damaged: [] }, 0],
  ])('has an exit code for the worst: %j', (findings, exitCode) => {
    expect(describeReplay({ options }, findings, what).exitCode).toBe(exitCode);
  });

  const change = (entityId: string, now: string, then: string) => ({
    entityId,
    bucket: '03',
    difference: {
      ...difference(entityId),
      regions: Object.fromEntries(
        new Map([
          ['now', { life: now }],
          ['then', { life: then }],
        ]),
      ),
    },
  });
  const plan = {
    changeSets: 9,
    same: 4,
    changes: [
      change('a', 'alive', 'alive'),
      change('b', 'absent', 'alive'),
      change('c', 'alive', 'deleted'),
    ],
    unarchived: [],
  } as unknown as Parameters<typeof describeReplayPlan>[0];

  test.each([
    [true, 'Rows that would be written: 2 (1 of them are there and change); deleted: 1.'],
    [
      false,
      'Of the live rows, which stay as they are, 1 differ and 1 are not in it; 1 that it has are not live.',
    ],
  ])('before it is what it would do (in place: %s)', (inPlace, told) => {
    const { text, json, exitCode } = describeReplayPlan(plan, {
      options: { inPlace },
      damaged: [],
    });
    const lines = linesOf(text);
    expect(lines.slice(0, 5)).toMatchInlineSnapshot(`
      [
        "id | bucket | now → then | fields that differ",
        "a | 03 | alive → alive | email, firstName",
        "b | 03 | absent → alive | email, firstName",
        "c | 03 | alive → deleted | email, firstName",
        "9 change sets: 4 entities are so already, 3 are not.",
      ]
    `);
    expect(lines.slice(5)).toEqual([told, 'Nothing was written. Run it again with --apply.']);
    expect({ exitCode, ...json }).toMatchObject({
      exitCode: 0,
      applied: false,
      changeSets: 9,
      same: 4,
      sinceMs: null,
    });
    expect('written' in json).toBe(inPlace);
    expect(json['changes']).toMatchObject([{ id: 'a' }, { id: 'b' }, { id: 'c' }]);
  });

  test('before it, where nothing is to be done, is no more than that, and what cannot be told', () => {
    const nothing = { ...plan, changes: [], unarchived: ['u'] };
    const { text, exitCode } = describeReplayPlan(nothing, { options, damaged });
    expect(text.split('\n')).toMatchInlineSnapshot(`
      [
        "9 change sets from 2026-11-22T09:59:59.000Z on to 2026-11-22T10:00:00.000Z: 4 entities are so already, 0 are not.",
        "Left alone, for the archive lacks writes of theirs from before then: u. Wait until the outbox is empty, or replay from another region.",
        "Left out p/r: torn",
      ]
    `);
    expect(exitCode).toBe(7);
    expect(describeReplayPlan({ ...nothing, unarchived: [] }, { options, damaged }).exitCode).toBe(
      7,
    );
    expect(describeReplayPlan(nothing, { options, damaged: [] }).exitCode).toBe(7);
  });
});
