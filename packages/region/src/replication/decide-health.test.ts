import { describe, expect, test } from 'vitest';
import type { DutyHealth, DutyName } from './duties/run-duties.ts';
import {
  decideLiveness,
  decideReplicatorReadiness,
  type HealthInput,
} from './replicator-status.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const STALL_MS = 60_000;

interface Case {
  readonly name?: DutyName;
  readonly stallMs?: number | undefined;
  readonly isNeededForReady?: boolean;
  readonly startedAgoMs?: number;
  readonly succeededAgoMs?: number;
  readonly failedAgoMs?: number;
  readonly isRunning?: boolean;
}

const msAgo = (ms: number | undefined) => (ms === undefined ? undefined : NOW_MS - ms);

function healthOf(one: Case): DutyHealth {
  const name = one.name ?? 'sweep';
  return {
    duty: {
      name,
      turn: async () => undefined,
      intervalMs: () => 1_000,
      firstDelayMs: 0,
      isNeededForReady: one.isNeededForReady ?? true,
      stallMs: 'stallMs' in one ? one.stallMs : STALL_MS,
    },
    name,
    startedMs: NOW_MS - (one.startedAgoMs ?? 3_600_000),
    isRunning: one.isRunning ?? true,
    lastSuccessMs: msAgo(one.succeededAgoMs),
    lastFailureMs: msAgo(one.failedAgoMs),
    lastError: undefined,
    roundCount: 0,
    failureCount: 0,
    consecutiveFailureCount: 0,
  };
}

function input(duties: readonly Case[], rest: Partial<HealthInput> = {}): HealthInput {
  return {
    nowMs: NOW_MS,
    phase: 'running',
    duties: duties.map(healthOf),
    lastOutageMs: undefined,
    ...rest,
  };
}

describe('liveness', () => {
  const late = STALL_MS + 5_000;
  const cases: readonly (readonly [string, HealthInput, readonly DutyName[]])[] = [
    ['before the loops run', input([], { phase: 'opening' }), []],
    ['a loop that turns', input([{ succeededAgoMs: 500 }]), []],
    ['a loop that began just now', input([{ startedAgoMs: 100 }]), []],
    ['a loop that never turned', input([{ startedAgoMs: late }]), ['sweep']],
    ['a loop that hangs', input([{ succeededAgoMs: late }]), ['sweep']],
    ['a loop that fails again and again', input([{ failedAgoMs: 500 }]), []],
    ['one that may take its time', input([{ succeededAgoMs: late, stallMs: undefined }]), []],
    ['a loop that was stopped', input([{ succeededAgoMs: late, isRunning: false }]), []],
    [
      'a batch held through an outage',
      input([{ name: 'receive', succeededAgoMs: late }], { lastOutageMs: NOW_MS - 5_000 }),
      [],
    ],
    [
      'a hanging sweep while a batch is held',
      input([{ succeededAgoMs: late }], { lastOutageMs: NOW_MS - 5_000 }),
      ['sweep'],
    ],
  ];

  test.each(cases)('%s', (_name, health, stalled) => {
    expect(decideLiveness(health)).toEqual(
      stalled.length === 0 ? { kind: 'live' } : { kind: 'stalled', loops: stalled },
    );
  });
});

describe('readiness of the process', () => {
  test('waits for every loop that matters to succeed once', () => {
    const duties: Case[] = [
      { name: 'sweep', succeededAgoMs: 10 },
      { name: 'receive' },
      { name: 'tombstones', isNeededForReady: false },
    ];
    expect(decideReplicatorReadiness(input(duties))).toEqual({
      kind: 'not-ready',
      reasons: [{ kind: 'loop-not-through', loop: 'receive' }],
    });
  });

  test('stays once every loop has succeeded, though one fails later', () => {
    const duties: Case[] = [{ succeededAgoMs: 900_000, failedAgoMs: 1 }];
    expect(decideReplicatorReadiness(input(duties))).toEqual({ kind: 'ready' });
  });

  test.each(['opening', 'stopping'] as const)('is red while %s', (phase) => {
    expect(decideReplicatorReadiness(input([{ succeededAgoMs: 1 }], { phase }))).toEqual({
      kind: 'not-ready',
      reasons: [{ kind: phase }],
    });
  });
});
