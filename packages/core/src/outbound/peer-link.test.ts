import { beforeEach, describe, expect, test } from 'vitest';
import { TerminalError, TransientError } from '../errors.ts';
import { createSeededRandomness } from '../memory/seeded-randomness.ts';
import { createVirtualClock, type VirtualClock } from '../memory/virtual-clock.ts';
import type { OutboundMessage } from '../ports/change-publisher.ts';
import { createPeerLink, type PeerLink } from './peer-link.ts';

const MESSAGE: OutboundMessage = { messageId: 'm', subject: 'change-set', body: new Uint8Array() };

let clock: VirtualClock;
let failure: Error | undefined;
let attempts: number;
let link: PeerLink;

beforeEach(() => {
  clock = createVirtualClock(0);
  failure = undefined;
  attempts = 0;
  link = createPeerLink({
    clock,
    randomness: createSeededRandomness(1),
    publisher: {
      peer: 'west',
      close: () => Promise.resolve(),
      publish: () => {
        attempts += 1;
        return failure === undefined ? Promise.resolve() : Promise.reject(failure);
      },
    },
  });
});

describe('a link to a peer', () => {
  test('that is down is not asked again until its backoff is over', async () => {
    failure = new TransientError('BUS_UNAVAILABLE', 'down');
    expect(await link.publish([MESSAGE])).toBe('peer-down');
    expect(await link.publish([MESSAGE])).toBe('peer-down');
    expect(attempts).toBe(1);
    expect(link.isReachable()).toBe(false);
    await clock.advance(15_000);
    expect(await link.publish([MESSAGE])).toBe('peer-down');
    expect(attempts).toBe(2);
  });

  test('is tried for ever, at least every 15 seconds', async () => {
    failure = new TransientError('BUS_UNAVAILABLE', 'down');
    for (let minute = 0; minute < 100; minute += 1) {
      await link.publish([MESSAGE]);
      await clock.advance(15_000);
    }
    expect(attempts).toBe(100);
    failure = undefined;
    expect(await link.publish([MESSAGE])).toBe('accepted');
    expect(link.isReachable()).toBe(true);
  });

  test('is not kept closed by a clock that ran ahead when it failed', async () => {
    let aheadMs = 3_600_000;
    const skewed = { ...clock, nowMs: () => clock.nowMs() + aheadMs };
    const publish = (): Promise<void> => {
      attempts += 1;
      return failure === undefined ? Promise.resolve() : Promise.reject(failure);
    };
    const publisher = { peer: 'west', close: () => Promise.resolve(), publish };
    link = createPeerLink({ clock: skewed, randomness: createSeededRandomness(1), publisher });
    failure = new TransientError('BUS_UNAVAILABLE', 'down');
    expect(await link.publish([MESSAGE])).toBe('peer-down');
    failure = undefined;
    aheadMs = 0;
    await clock.advance(15_000);
    expect(await link.publish([MESSAGE])).toBe('accepted');
  });

  test('whose queue is missing counts as down: an operator mends it while we try', async () => {
    failure = new TerminalError('BUS_ENTITY_MISSING', 'no such queue');
    expect(await link.publish([MESSAGE])).toBe('peer-down');
  });

  test('a message that is too large is not the fault of the peer', async () => {
    failure = new TerminalError('MESSAGE_TOO_LARGE', 'too large');
    await expect(link.publish([MESSAGE])).rejects.toBe(failure);
    expect(link.isReachable()).toBe(true);
  });
});
