import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_QUEUE_PROPERTIES } from '../queue/queue-properties.ts';
import { describeStoreContract, storedMessage } from '../testing/message-store-contract.ts';
import { openLmdbStore } from './lmdb-store.ts';

let root: string;
let opened = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'servicebus-emulator-'));
});
afterAll(() => rm(root, { recursive: true }));

function newLocation(): string {
  opened += 1;
  return join(root, String(opened), 'nested');
}

describeStoreContract('The store in a folder', () => openLmdbStore(newLocation()));

describe('a folder that is opened again', () => {
  it('has everything that was committed, and goes on numbering queues', async () => {
    const location = newLocation();
    const first = await openLmdbStore(location);
    const id = await first.catalog.allocateId();
    const times = { createdAtMs: 1, updatedAtMs: 2 };
    const queue = { id, name: 'Orders', properties: DEFAULT_QUEUE_PROPERTIES, ...times };
    await first.catalog.save(queue);
    const message = storedMessage(3, { dueAtMs: 9 });
    await first.messages.commit([{ kind: 'put', queueId: id, message }]);
    await first.close();

    const second = await openLmdbStore(location);
    expect(await second.catalog.load()).toEqual([queue]);
    expect(await second.messages.read(id, 3)).toEqual(message);
    expect(await second.catalog.allocateId()).toBe(id + 2);
    await second.close();
  });

  it('is rid of messages whose queue is not in the list', async () => {
    const location = newLocation();
    const first = await openLmdbStore(location);
    const id = await first.catalog.allocateId();
    await first.messages.commit([{ kind: 'put', queueId: id + 1, message: storedMessage(1) }]);
    await first.close();

    const second = await openLmdbStore(location);
    expect(await second.messages.read(id + 1, 1)).toBeUndefined();
    await second.close();
  });
});
