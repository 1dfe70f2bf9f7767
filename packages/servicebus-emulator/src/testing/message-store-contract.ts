import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_QUEUE_PROPERTIES } from '../queue/queue-properties.ts';
import {
  EMPTY_COUNTERS,
  type EmulatorStore,
  type StoredMessage,
  type StoredQueue,
} from '../store/message-store.ts';

const QUEUE_ID = 4;
const BYTES_MAX = 1024 * 1024;

export function storedMessage(
  sequenceNumber: number,
  fields: Partial<StoredMessage> = {},
): StoredMessage {
  return {
    sequenceNumber,
    state: 'active',
    enqueuedAtMs: 1_700_000_000_000,
    dueAtMs: undefined,
    timeToLiveMs: undefined,
    deliveryCount: 0,
    durable: undefined,
    priority: undefined,
    enqueuedSequenceNumber: sequenceNumber,
    sessionId: undefined,
    annotations: undefined,
    payload: Buffer.from(`payload ${sequenceNumber}`),
    ...fields,
  };
}

function storedQueue(id: number, name: string): StoredQueue {
  return {
    id,
    name,
    properties: DEFAULT_QUEUE_PROPERTIES,
    createdAtMs: 1_700_000_000_000,
    updatedAtMs: 1_700_000_000_001,
  };
}

const put = (message: StoredMessage, queueId = QUEUE_ID) =>
  ({ kind: 'put', queueId, message }) as const;
const remove = (message: StoredMessage) =>
  ({ kind: 'remove', queueId: QUEUE_ID, message }) as const;

/** What every store must do. */
export function describeStoreContract(
  name: string,
  createStore: () => Promise<EmulatorStore>,
): void {
  describe(`${name} keeps the contract of a store`, () => {
    let store: EmulatorStore;
    beforeEach(async () => {
      store = await createStore();
    });
    afterEach(() => store.close());

    const scan = (fromSequenceNumber: number, messagesMax = 1_000, bytesMax = BYTES_MAX) =>
      store.messages.scan({ queueId: QUEUE_ID, fromSequenceNumber, messagesMax, bytesMax });
    const numbers = async (from: number, max?: number, bytesMax?: number) =>
      (await scan(from, max, bytesMax)).map((message) => message.sequenceNumber);

    it('gives back what was put, field by field', async () => {
      const full = storedMessage(7, {
        state: 'deferred',
        dueAtMs: 1_700_000_001_000,
        timeToLiveMs: 1_000,
        deliveryCount: 3,
        durable: false,
        priority: 20,
        enqueuedSequenceNumber: 2,
        sessionId: 'grüße',
        annotations: Buffer.from([0, 0, 0, 0]),
        payload: Buffer.alloc(100_000, 'x'),
      });
      await store.messages.commit([put(full), put(storedMessage(8))]);
      expect(await store.messages.read(QUEUE_ID, 7)).toEqual(full);
      expect(await store.messages.read(QUEUE_ID, 8)).toEqual(storedMessage(8));
      expect(await store.messages.read(QUEUE_ID, 9)).toBeUndefined();
    });

    it('scans in order of sequence number, from a number, up to a count or size', async () => {
      const messages = Array.from({ length: 600 }, (_, index) => storedMessage(index + 1));
      await store.messages.commit(messages.map((message) => put(message)));
      await store.messages.commit(messages.slice(10, 590).map(remove));
      expect(await numbers(9)).toEqual([9, 10, ...Array.from({ length: 10 }, (_, i) => 591 + i)]);
      expect(await numbers(300, 2)).toEqual([591, 592]);
      expect(await numbers(1, 100, 1)).toEqual([1]);
      expect(await numbers(601)).toEqual([]);
      const [first] = await scan(595);
      expect(first?.payload.toString()).toBe('payload 595');
    });

    it('replaces the message of a number', async () => {
      await store.messages.commit([put(storedMessage(1)), put(storedMessage(2))]);
      await store.messages.commit([put(storedMessage(1, { deliveryCount: 1 }))]);
      expect((await scan(1)).map((m) => m.deliveryCount)).toEqual([1, 0]);
    });

    it('keeps queues apart', async () => {
      await store.messages.commit([put(storedMessage(1)), put(storedMessage(5), QUEUE_ID + 1)]);
      expect(await numbers(1)).toEqual([1]);
    });

    it('lists what is due in order of time, page by page, until it is removed', async () => {
      const due = [30, 10, 20, 20].map((dueAtMs, index) => storedMessage(index + 1, { dueAtMs }));
      await store.messages.commit([...due, storedMessage(9)].map((message) => put(message)));
      const options = { queueId: QUEUE_ID, untilMs: 20, messagesMax: 2 };
      const first = await store.messages.scanDue(options);
      expect(first).toEqual([
        { dueAtMs: 10, sequenceNumber: 2 },
        { dueAtMs: 20, sequenceNumber: 3 },
      ]);
      const second = await store.messages.scanDue({ ...options, after: first[1]! });
      expect(second).toEqual([{ dueAtMs: 20, sequenceNumber: 4 }]);
      await store.messages.commit([remove(due[1]!), remove(due[2]!)]);
      expect(await store.messages.scanDue(options)).toEqual([{ dueAtMs: 20, sequenceNumber: 4 }]);
    });

    it('orders what is due in different seconds', async () => {
      const times = [5_000, 1_000, 3_000_000_000_000];
      await store.messages.commit(
        times.map((dueAtMs, index) => put(storedMessage(index + 1, { dueAtMs }))),
      );
      const untilMs = Number.MAX_SAFE_INTEGER - 1;
      const due = await store.messages.scanDue({ queueId: QUEUE_ID, untilMs, messagesMax: 10 });
      expect(due.map((entry) => entry.sequenceNumber)).toEqual([2, 1, 3]);
    });

    it('remembers the counters, empty ones at first', async () => {
      expect(await store.messages.loadCounters(QUEUE_ID)).toEqual(EMPTY_COUNTERS);
      const commits = [5, 6, 7].map((nextSequenceNumber) =>
        store.messages.commit([
          {
            kind: 'counters',
            queueId: QUEUE_ID,
            counters: { ...EMPTY_COUNTERS, nextSequenceNumber },
          },
        ]),
      );
      await Promise.all(commits);
      const counters = await store.messages.loadCounters(QUEUE_ID);
      expect(counters.nextSequenceNumber).toBe(7);
    });

    it('lists queues, allocates even ids that are never the same, and drops with content', async () => {
      const ids = [await store.catalog.allocateId(), await store.catalog.allocateId()];
      expect(ids.map((id) => id % 2)).toEqual([0, 0]);
      const [first, second] = ids.map((id) => storedQueue(id, `queue-${id}`));
      await store.catalog.save(first!);
      await store.catalog.save(second!);
      await store.messages.commit([put(storedMessage(1, { dueAtMs: 5 }), ids[0])]);
      await store.messages.commit([put(storedMessage(1), ids[1])]);
      await store.catalog.drop(ids[0]!);
      expect(await store.catalog.load()).toEqual([second]);
      expect(await store.messages.read(ids[0]!, 1)).toBeUndefined();
      expect(await store.messages.read(ids[1]!, 1)).toBeDefined();
      expect(ids).not.toContain(await store.catalog.allocateId());
    });
  });
}
