import { type RegionStatus, TerminalError } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import type { RegionSight } from '../regions/look-at-regions.ts';
import { linesOf } from '../testing/lines-of.ts';
import { describeStatus, toStatusJson } from './describe-status.ts';

const NOW_MS = Date.UTC(2026, 10, 22, 10);

describe('the status', () => {
  const STATUS: RegionStatus = {
    region: 'east',
    readiness: { kind: 'ready', notes: ['catching up for 3 s'] },
    directions: [
      {
        peer: 'west',
        lagMs: 1_200,
        owedChanges: 3,
        owedAgeMs: 4_000,
        owedUndated: 2,
        isReachable: true,
      },
      {
        peer: 'north',
        lagMs: undefined,
        owedChanges: 0,
        owedAgeMs: undefined,
        owedUndated: 0,
        isReachable: false,
      },
      {
        peer: 'south',
        lagMs: undefined,
        owedChanges: 1,
        owedAgeMs: undefined,
        owedUndated: 1,
        isReachable: undefined,
      },
    ],
    outbox: { owedToAll: 1, isComplete: true },
    queue: { waiting: 7, deadLettered: 2 },
    conflicts: 5,
    clockOffsetMs: 250,
    provenEqualMs: NOW_MS,
    notices: [],
  } as unknown as RegionStatus;
  const WEST = {
    ...STATUS,
    region: 'west',
    readiness: {
      kind: 'not-ready',
      reasons: [
        { kind: 'store-not-answering' },
        { kind: 'replicator-not-heard', aheadMs: 90_000 },
        { kind: 'replicator-not-heard', ageMs: 61_000 },
        { kind: 'replicator-not-heard' },
        { kind: 'held', why: 'is rebuilt' },
        { kind: 'out-for-drill', untilMs: NOW_MS },
        { kind: 'behind', peer: 'east', lagMs: 20_000 },
        { kind: 'behind', peer: 'north' },
      ],
    },
    directions: [
      {
        peer: 'north',
        lagMs: 99_000,
        owedChanges: 0,
        owedAgeMs: undefined,
        owedUndated: 0,
        isReachable: true,
      },
      {
        peer: 'east',
        lagMs: 2_500,
        owedChanges: 9,
        owedAgeMs: 500,
        owedUndated: 0,
        isReachable: true,
      },
    ],
    outbox: { owedToAll: 0, isComplete: false },
    queue: { error: 'BUS_FORBIDDEN' },
    conflicts: 1_000,
    clockOffsetMs: -250,
    provenEqualMs: undefined,
    archiveFromMs: NOW_MS,
    conflictsFromMs: NOW_MS,
    notices: [{ kind: 'row-foreign', subject: 'Customers/00/x', detail: 'no version', count: 4 }],
  } as unknown as RegionStatus;
  const seen = (
    status: RegionStatus,
    api: 'ready' | 'unready' | 'silent' | 'unknown',
  ): RegionSight => ({
    kind: 'seen',
    status,
    api,
  });
  const unseen: RegionSight = {
    kind: 'unseen',
    region: 'north',
    error: new TerminalError('TABLE_FORBIDDEN', 'No rights.'),
  };

  test('has a row for each region and each direction, what answers first', () => {
    const sights = [unseen, seen(STATUS, 'ready'), seen(WEST, 'unready')];
    expect(linesOf(describeStatus(sights))).toMatchInlineSnapshot(`
      [
        "region | ready | API | waiting | dead letters | conflicts | clock | customers proven equal as of | archive from",
        "east | yes | says that it is ready | 7 | 2 | 5 | +0.3 s | 2026-11-22T10:00:00.000Z | its beginning",
        " | catching up for 3 s",
        "west | NO | says that it is NOT ready | BUS_FORBIDDEN | BUS_FORBIDDEN | 1000 or more | -0.3 s | never | 2026-11-22T10:00:00.000Z",
        " | its table does not answer |  |  |  | from 2026-11-22T10:00:00.000Z",
        " | its replicator's clock is 90.0 s ahead of this one",
        " | its replicator is silent for 61.0 s",
        " | its replicator was never heard",
        " | held back: is rebuilt",
        " | out for a drill until 2026-11-22T10:00:00.000Z",
        " | 20.0 s behind east",
        " | never heard of north",
        "north | NO | not known | not known | not known | not known | not known | not known | not known",
        " | TABLE_FORBIDDEN",
        " | No rights.",
        "from | to | lag | owed | oldest owed | peer accepts",
        "east | west | 2.5 s | 3 | 4.0 s, 2 not dated | yes",
        "east | north | not known | 0 | none | NO",
        "east | south | not known | 1 | 1 not dated | not known",
        "west | north | not known | at least 0 | not known | yes",
        "west | east | 1.2 s | at least 9 | at least 0.5 s | yes",
        "region | noticed | what | why | times",
        "west | row-foreign | Customers/00/x | no version | 4",
        "tandem doctor says what helps.",
      ]
    `);
  });

  test('says what is not known, and nothing of notices where there are none', () => {
    const silent = {
      ...STATUS,
      directions: [],
      queue: undefined,
      clockOffsetMs: undefined,
    } as unknown as RegionStatus;
    const even = { ...silent, clockOffsetMs: 0 };
    const sights = [seen(silent, 'silent'), seen(even, 'unknown')];
    expect(linesOf(describeStatus(sights))).toMatchInlineSnapshot(`
      [
        "region | ready | API | waiting | dead letters | conflicts | clock | customers proven equal as of | archive from",
        "east | NO | does NOT answer | not known | not known | 5 | not known | 2026-11-22T10:00:00.000Z | its beginning",
        " | catching up for 3 s",
        "east | yes | not known | not known | not known | 5 | +0.0 s | 2026-11-22T10:00:00.000Z | its beginning",
        " | catching up for 3 s",
        "from | to | lag | owed | oldest owed | peer accepts",
      ]
    `);
  });

  test('is whole as JSON, with null for what is not known', () => {
    const sights = [
      seen(STATUS, 'ready'),
      seen({ ...WEST, notices: STATUS.notices }, 'unready'),
      unseen,
    ];
    expect(sights.map(toStatusJson)).toMatchInlineSnapshot(`
      [
        {
          "api": "ready",
          "archiveFromMs": null,
          "clockOffsetMs": 250,
          "conflicts": 5,
          "conflictsFromMs": null,
          "directions": [
            {
              "lagMs": 1200,
              "owedAgeMs": 4000,
              "owedChanges": 3,
              "owedUndated": 2,
              "peer": "west",
              "peerAccepts": true,
            },
            {
              "lagMs": null,
              "owedAgeMs": null,
              "owedChanges": 0,
              "owedUndated": 0,
              "peer": "north",
              "peerAccepts": false,
            },
            {
              "lagMs": null,
              "owedAgeMs": null,
              "owedChanges": 1,
              "owedUndated": 1,
              "peer": "south",
              "peerAccepts": null,
            },
          ],
          "inbound": {
            "deadLettered": 2,
            "waiting": 7,
          },
          "notes": [
            "catching up for 3 s",
          ],
          "notices": [],
          "owedIsAtLeast": false,
          "owedToAll": 1,
          "provenEqualAsOfMs": 1795341600000,
          "ready": true,
          "reasons": [],
          "region": "east",
        },
        {
          "api": "unready",
          "archiveFromMs": 1795341600000,
          "clockOffsetMs": -250,
          "conflicts": 1000,
          "conflictsFromMs": 1795341600000,
          "directions": [
            {
              "lagMs": 99000,
              "owedAgeMs": null,
              "owedChanges": 0,
              "owedUndated": 0,
              "peer": "north",
              "peerAccepts": true,
            },
            {
              "lagMs": 2500,
              "owedAgeMs": 500,
              "owedChanges": 9,
              "owedUndated": 0,
              "peer": "east",
              "peerAccepts": true,
            },
          ],
          "inbound": {
            "error": "BUS_FORBIDDEN",
          },
          "notes": [],
          "notices": [],
          "owedIsAtLeast": true,
          "owedToAll": 0,
          "provenEqualAsOfMs": null,
          "ready": false,
          "reasons": [
            {
              "kind": "store-not-answering",
            },
            {
              "aheadMs": 90000,
              "kind": "replicator-not-heard",
            },
            {
              "ageMs": 61000,
              "kind": "replicator-not-heard",
            },
            {
              "kind": "replicator-not-heard",
            },
            {
              "kind": "held",
              "why": "is rebuilt",
            },
            {
              "kind": "out-for-drill",
              "untilMs": 1795341600000,
            },
            {
              "kind": "behind",
              "lagMs": 20000,
              "peer": "east",
            },
            {
              "kind": "behind",
              "peer": "north",
            },
            {
              "kind": "api-unready",
            },
          ],
          "region": "west",
        },
        {
          "ready": false,
          "reasons": [
            {
              "code": "TABLE_FORBIDDEN",
              "kind": "not-seen",
              "message": "No rights.",
            },
          ],
          "region": "north",
        },
      ]
    `);
    expect(toStatusJson(seen(STATUS, 'silent'))).toMatchObject({
      ready: false,
      reasons: [{ kind: 'api-silent' }],
    });
    expect(
      toStatusJson(
        seen(
          { ...STATUS, queue: undefined, clockOffsetMs: undefined, provenEqualMs: undefined },
          'unknown',
        ),
      ),
    ).toMatchObject({
      api: null,
      ready: true,
      inbound: null,
      clockOffsetMs: null,
      provenEqualAsOfMs: null,
      reasons: [],
    });
  });
});
