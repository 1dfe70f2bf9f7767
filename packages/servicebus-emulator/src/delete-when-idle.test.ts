import { afterEach, describe, expect, it } from 'vitest';
import { type Namespace, openNamespace } from './namespace.ts';
import { createMemoryStore } from './store/memory-store.ts';
import { createReceiver, incoming } from './testing/queue-harness.ts';
import { createVirtualClock } from './testing/virtual-clock.ts';

const IDLE_MS = 300_000;
const NAME = 'temporary';

const opened: Namespace[] = [];
afterEach(() => {
  for (const namespace of opened.splice(0)) namespace.close();
});

async function openWithQueue() {
  const clock = createVirtualClock();
  const failures: unknown[] = [];
  const namespace = await openNamespace({
    store: createMemoryStore(),
    clock,
    onFailure: (error) => failures.push(error),
  });
  opened.push(namespace);
  const created = await namespace.create(NAME, { autoDeleteOnIdleMs: IDLE_MS });
  if (created.kind !== 'created') throw new Error('The queue was not created');
  return { clock, namespace, queue: created.entity.main, failures };
}

describe('a queue that is deleted when it is idle', () => {
  it('is gone when nobody has used it for that long, and not before', async () => {
    const { clock, namespace, failures } = await openWithQueue();
    await clock.advance(IDLE_MS - 1);
    expect(namespace.find(NAME)).toBeDefined();
    await clock.advance(1);
    expect(namespace.find(NAME)).toBeUndefined();
    expect(failures).toEqual([]);
  });

  it.each([
    ['sent to', (queue) => queue.send([incoming('a')])],
    ['looked into', (queue) => queue.peek({ fromSequenceNumber: 1, messagesMax: 1 })],
  ] satisfies [string, (queue: Awaited<ReturnType<typeof openWithQueue>>['queue']) => unknown][])(
    'stays for as long again after it was %s',
    async (_, use) => {
      const { clock, namespace, queue } = await openWithQueue();
      await clock.advance(IDLE_MS - 1);
      await use(queue);
      await clock.advance(IDLE_MS - 1);
      expect(namespace.find(NAME)).toBeDefined();
      await clock.advance(1);
      expect(namespace.find(NAME)).toBeUndefined();
    },
  );

  it('stays while a receiver waits, and its time begins when that leaves', async () => {
    const { clock, namespace, queue } = await openWithQueue();
    const attachment = queue.attach(createReceiver());
    await clock.advance(10 * IDLE_MS + 7);
    attachment.detach();
    await clock.advance(IDLE_MS - 1);
    expect(namespace.find(NAME)).toBeDefined();
    await clock.advance(1);
    expect(namespace.find(NAME)).toBeUndefined();
  });

  it('stays for good when its time is lifted', async () => {
    const { clock, namespace } = await openWithQueue();
    await namespace.update(NAME, { autoDeleteOnIdleMs: Number.POSITIVE_INFINITY });
    await clock.advance(10 * IDLE_MS);
    expect(namespace.find(NAME)).toBeDefined();
  });
});
