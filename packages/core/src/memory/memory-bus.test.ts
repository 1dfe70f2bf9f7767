import { describe, expect, test } from 'vitest';
import { describeChangeBusContract } from '../testing/change-bus-contract.ts';
import { createMemoryBus, MEMORY_MESSAGE_BYTES_MAX, type MemoryBus } from './memory-bus.ts';
import { createVirtualClock, driveVirtualTime, type VirtualClock } from './virtual-clock.ts';

const LOCK_DURATION_MS = 5_000;
const DELIVERY_COUNT_MAX = 3;

function createBus(): { clock: VirtualClock; bus: MemoryBus } {
  const clock = createVirtualClock(Date.UTC(2026, 0, 1));
  const bus = createMemoryBus({
    clock,
    lockDurationMs: LOCK_DURATION_MS,
    deliveryCountMax: DELIVERY_COUNT_MAX,
  });
  return { clock, bus };
}

describeChangeBusContract('memory', async () => {
  const { clock, bus } = createBus();
  return {
    peer: 'west',
    publisher: bus.publisherFor('west', 'inbound'),
    receiver: bus.receiverFor('inbound'),
    competitor: bus.receiverFor('inbound'),
    messageBytesAccepted: MEMORY_MESSAGE_BYTES_MAX,
    messageBytesRefused: MEMORY_MESSAGE_BYTES_MAX + 1,
    lockDurationMs: LOCK_DURATION_MS,
    drive: (work) => driveVirtualTime(clock, work),
    nowMs: () => clock.nowMs(),
    deadLetters: async () =>
      bus
        .deadLettersOf('inbound')
        .map(({ messageId, reason, description }) => ({ messageId, reason, description })),
    close: async () => undefined,
  };
});

const MESSAGE = { messageId: 'one', subject: 'change-set', body: new Uint8Array(1) } as const;

describe('memory bus', () => {
  test('a message delivered too often is dead-lettered, whether abandoned or left', async () => {
    const { clock, bus } = createBus();
    const receiver = bus.receiverFor('inbound');
    await bus.publisherFor('west', 'inbound').publish([MESSAGE]);
    for (let delivery = 1; delivery <= DELIVERY_COUNT_MAX; delivery += 1) {
      const [message] = await receiver.receive(1, 0);
      expect(message?.deliveryCount).toBe(delivery);
      await clock.advance(LOCK_DURATION_MS);
    }
    await expect(receiver.receive(1, 0)).resolves.toEqual([]);
    expect(bus.deadLettersOf('inbound')).toMatchObject([
      { messageId: 'one', reason: 'MaxDeliveryCountExceeded' },
    ]);
  });

  test('queues do not mix', async () => {
    const { bus } = createBus();
    await bus.publisherFor('west', 'to-west').publish([MESSAGE]);
    await expect(bus.receiverFor('to-east').receive(1, 0)).resolves.toEqual([]);
    await expect(bus.receiverFor('to-west').receive(1, 0)).resolves.toHaveLength(1);
  });

  test('a body changed after it was sent arrives as it was sent', async () => {
    const { bus } = createBus();
    const body = Uint8Array.of(1, 2, 3);
    await bus.publisherFor('west', 'inbound').publish([{ ...MESSAGE, body }]);
    body.fill(9);
    const [message] = await bus.receiverFor('inbound').receive(1, 0);
    expect(message?.body).toEqual(Uint8Array.of(1, 2, 3));
  });

  test('of several who wait, the one who waited longest is served', async () => {
    const { clock, bus } = createBus();
    const first = bus.receiverFor('inbound').receive(1, 1_000);
    const second = bus.receiverFor('inbound').receive(1, 1_000);
    await clock.advance(10);
    await bus.publisherFor('west', 'inbound').publish([MESSAGE]);
    await driveVirtualTime(clock, Promise.all([first, second]));
    expect(await first).toHaveLength(1);
    expect(await second).toHaveLength(0);
  });

  test('a receive waits no longer than asked, by the clock', async () => {
    const { clock, bus } = createBus();
    const startedMs = clock.nowMs();
    await driveVirtualTime(clock, bus.receiverFor('inbound').receive(1, 750));
    expect(clock.nowMs() - startedMs).toBe(750);
  });

  test('dead letters are seen ascending, page by page, in whatever order they died', async () => {
    const { bus } = createBus();
    const ids = ['a', 'b', 'c', 'd', 'e'];
    await bus
      .publisherFor('west', 'inbound')
      .publish(ids.map((messageId) => ({ ...MESSAGE, messageId })));
    const receiver = bus.receiverFor('inbound');
    const received = await receiver.receive(5, 0);
    for (const one of received.toReversed()) {
      await receiver.settle(one, { kind: 'dead-letter', reason: 'x', description: 'x' });
    }
    const viewer = bus.viewerFor('inbound');
    const seen: string[] = [];
    for (let from = 0n; ; ) {
      const page = await viewer.peek('dead-letters', from, 2);
      const last = page.at(-1);
      if (last === undefined) break;
      seen.push(...page.map(({ messageId }) => messageId));
      from = last.sequenceNumber + 1n;
    }
    expect(seen).toEqual(ids);
  });
});
