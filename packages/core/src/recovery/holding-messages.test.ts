import { expect, test } from 'vitest';
import { createMemoryBus } from '../memory/memory-bus.ts';
import { createVirtualClock } from '../memory/virtual-clock.ts';
import { deflateChangeSet } from '../replication/deflate-change-set.ts';
import { findHolding } from './holding-messages.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';

async function holdingAmong(...bodies: readonly string[]): Promise<number> {
  const clock = createVirtualClock(0);
  const bus = createMemoryBus({ clock, lockDurationMs: 30_000, deliveryCountMax: 1 });
  const messages = bodies.map((text, nth) => ({
    messageId: `m${nth}`,
    subject: 'change-set' as const,
    body: new TextEncoder().encode(text),
  }));
  await bus.publisherFor('west', 'west').publish(messages);
  return (await findHolding(bus.viewerFor('west'), 'messages', ID)).length;
}

test('what cannot be read holds an entity that it names', async () => {
  expect(await holdingAmong(`{"wire":1,"no":"${ID}"}`, '{"wire":1,"no":"change"}')).toBe(1);
});

test('a damaged pack of deflated change sets may hold any entity', async () => {
  const plain = JSON.stringify({ wire: 1, changes: Array.from({ length: 20 }, () => ID) });
  const deflated = Buffer.from(deflateChangeSet(Buffer.from(plain))).toString();
  expect(deflated).not.toContain(ID);
  expect(await holdingAmong(`{"wire":2,"lengths":[${deflated.length}],"sets":[${deflated}`)).toBe(
    1,
  );
});
