import { TerminalError, TransientError } from '@tandem/core';
import { createVirtualClock } from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { recordLog } from '../../testing/record-log.ts';
import { createActivity } from '../activity.ts';
import { createReceiveDuty } from './queue-duties.ts';

const MISSING = new TerminalError('BUS_ENTITY_MISSING', 'There is no queue "customer".');
const DOWN = new TransientError('BUS_UNAVAILABLE', 'The namespace does not answer.');

/** Each turn takes the next of the outcomes; a number is that many messages. */
function setUp(
  outcomes: readonly (number | Error)[],
  ensuring: readonly (Error | undefined)[] = [],
) {
  const calls: string[] = [];
  let turns = 0;
  let ensures = 0;
  const activity = createActivity({
    driftMsMax: 60_000,
    logger: recordLog().logger,
    clock: createVirtualClock(0),
  });
  const duty = createReceiveDuty({
    activity,
    ensureQueue: async () => {
      calls.push('ensure');
      const failure = ensuring[ensures++];
      if (failure !== undefined) throw failure;
    },
    replicator: {
      receiveOnce: async () => {
        calls.push('receive');
        const outcome = outcomes[turns++] ?? 0;
        if (typeof outcome !== 'number') throw outcome;
        return outcome;
      },
    },
  });
  const turn = () => duty.turn(new AbortController().signal);
  return { calls, activity, turn, duty };
}

test('creates its queue once, and then only receives', async () => {
  const { calls, activity, turn } = setUp([3, 4]);
  await turn();
  await turn();
  expect(calls).toEqual(['ensure', 'receive', 'receive']);
  expect(activity.counts().received).toBe(7);
});

test('does not receive before the namespace was there to create the queue', async () => {
  const { calls, turn } = setUp([], [DOWN]);
  await expect(turn()).rejects.toThrow(DOWN);
  await turn();
  expect(calls).toEqual(['ensure', 'ensure', 'receive']);
});

test('creates a queue again that was deleted', async () => {
  const { calls, turn } = setUp([1, MISSING, 1]);
  await turn();
  await expect(turn()).rejects.toThrow(MISSING);
  await turn();
  expect(calls).toEqual(['ensure', 'receive', 'receive', 'ensure', 'receive']);
});

test('asks nothing of the administration after an ordinary outage', async () => {
  const { calls, turn } = setUp([DOWN, 1]);
  await expect(turn()).rejects.toThrow(DOWN);
  await turn();
  expect(calls).toEqual(['ensure', 'receive', 'receive']);
});

test('is needed to be ready, begins at once, and waits in its turns alone', () => {
  const { duty } = setUp([]);
  expect(duty).toMatchObject({ isNeededForReady: true, firstDelayMs: 0 });
  expect(duty.intervalMs()).toBe(0);
});
