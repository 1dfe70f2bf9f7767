import { TransientError } from '@tandem/core';
import { expect, test } from 'vitest';
import { describeStatus, type StatusInput } from './replicator-status.ts';

const NOW_MS = Date.UTC(2026, 0, 1);

const INPUT: StatusInput = {
  nowMs: NOW_MS,
  region: 'east',
  phase: 'running',
  links: [{ peer: 'west', isReachable: () => false }],
  lastBeat: {
    nowMs: NOW_MS - 500,
    catchingUpSinceMs: undefined,
    hasBacklog: false,
    peers: [{ peer: 'west', passedMs: NOW_MS - 7_000, isReachable: true }],
  },
  owedToSinceMs: () => NOW_MS - 1_000,
  queue: { isReachable: true, oldestEnqueuedMs: NOW_MS - 3_000, deadLetters: 2 },
  duties: [],
  counts: {
    conflicts: 1,
    relayed: 2,
    deadLettered: 3,
    refused: {},
    received: 4,
    trimmed: {},
    purged: 0,
    copied: 0,
  },
  copies: [],
  mirrors: [],
  notices: [],
};

test('lag and age are measured at the answer, not when they were last looked at', () => {
  const status = describeStatus(INPUT);
  expect(status.peers).toEqual([
    {
      peer: 'west',
      reachable: false,
      passedMs: NOW_MS - 7_000,
      lagMs: 7_000,
      outboxAgeMs: 1_000,
    },
  ]);
  expect(status.queue).toEqual({ reachable: true, oldestMessageAgeMs: 3_000, deadLetterCount: 2 });
});

test('I11: claims no empty queue and no backlog while the queue cannot be reached', () => {
  const queue = { isReachable: false, oldestEnqueuedMs: undefined, deadLetters: undefined };
  expect(describeStatus({ ...INPUT, queue })).toMatchObject({
    backlog: null,
    queue: { reachable: false, oldestMessageAgeMs: null, deadLetterCount: null },
  });
});

test('says of a peer that was never heard that its lag is not known', () => {
  const status = describeStatus({ ...INPUT, lastBeat: undefined });
  expect(status.peers).toMatchObject([{ passedMs: null, lagMs: null }]);
});

test('gives the code of an error and never its message', () => {
  const error = new TransientError('TABLE_UNAVAILABLE', 'AccountKey=hunter2 does not answer');
  const duty = {
    name: 'sweep' as const,
    turn: async () => undefined,
    intervalMs: () => 1_000,
    firstDelayMs: 0,
    isNeededForReady: true,
    stallMs: 1_000,
  };
  const health = {
    duty,
    name: 'sweep',
    startedMs: NOW_MS,
    isRunning: true,
    lastSuccessMs: undefined,
    lastFailureMs: NOW_MS,
    lastError: error,
    roundCount: 1,
    failureCount: 1,
    consecutiveFailureCount: 1,
  };
  const status = describeStatus({ ...INPUT, duties: [health] });
  expect(status.loops).toMatchObject([{ name: 'sweep', lastErrorCode: 'TABLE_UNAVAILABLE' }]);
  expect(JSON.stringify(status)).not.toContain('hunter2');
});
