import { expect, it } from 'vitest';
import { createMemoryStore } from '../store/memory-store.ts';
import { storedMessage } from '../testing/message-store-contract.ts';
import { createReadyMessages } from './ready-messages.ts';

it('offers a message once that a scan has seen before its commit was reported', async () => {
  const store = createMemoryStore().messages;
  const ready = createReadyMessages({ queueId: 2, store, lastSequenceNumber: 0 });
  const [first, second] = [storedMessage(1), storedMessage(2)];
  await store.commit([first, second].map((message) => ({ kind: 'put', queueId: 2, message })));
  ready.append([first]);
  await ready.refill();
  ready.append([second]);
  expect([ready.take(), ready.take(), ready.take()]).toEqual([first, second, undefined]);
});
