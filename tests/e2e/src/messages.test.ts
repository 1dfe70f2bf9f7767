import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { untilEqual } from './compare-regions.ts';
import { send, until } from './customers-client.ts';
import type { E2eCluster } from './harness/e2e-cluster.ts';
import { startCluster } from './harness/start-cluster.ts';
import { copyOf, openQueue, type RegionQueue } from './queue-messages.ts';

let cluster: E2eCluster;
let queue: RegionQueue;
let east: string;
let west: string;

beforeAll(async () => {
  cluster = await startCluster();
  queue = openQueue(cluster.region('west'));
  east = cluster.region('east').addresses.api;
  west = cluster.region('west').addresses.api;
});

afterAll(async () => {
  await queue?.close();
  await cluster?.stop();
});

test('I10: a poison message is dead-lettered with its reason and blocks nothing', async () => {
  await queue.send([{ body: 'not a change' }, { body: Buffer.from([0xff, 0x00]) }]);
  const id = randomUUID();
  await send(`${east}/customers/${id}`, 'PUT', { email: 'after@example.com' });
  await until('the customer behind the poison', async () => {
    const { status } = await send(`${west}/customers/${id}`, 'GET');
    return status === 200 ? true : undefined;
  });
  const letters: { deadLetterReason?: string }[] = [];
  await until('both dead letters', async () => {
    letters.push(...(await queue.takeDeadLetters()));
    return letters.length === 2 ? true : undefined;
  });
  expect(letters.every(({ deadLetterReason }) => (deadLetterReason ?? '') !== '')).toBe(true);
  await untilEqual(cluster);
});

test('I3: messages delivered twice and in reverse give the state of in order and once', async () => {
  const { replicator } = cluster.region('west');
  await replicator.stop();
  const ids = Array.from({ length: 10 }, () => randomUUID());
  const turns = 4;
  for (let turn = 0; turn < turns; turn += 1) {
    for (const id of ids) {
      await send(`${east}/customers/${id}`, 'PUT', { email: `turn${turn}@example.com` });
    }
  }
  const [removed = ''] = ids;
  await send(`${east}/customers/${removed}`, 'DELETE');
  const taken = await until('the last change in the queue', async () => {
    const messages = await queue.takeAll();
    return messages.length > 0 ? messages : undefined;
  });
  const copies = taken.map(copyOf);
  await queue.send([...copies].reverse());
  await queue.send(copies);
  await replicator.start();

  const found = await untilEqual(cluster);
  expect(found.has(removed)).toBe(false);
  for (const id of ids.slice(1)) expect(found.get(id)?.email).toBe(`turn${turns - 1}@example.com`);
});

test('I2: both regions write the same customers at once, again and again, and agree', async () => {
  const ids = Array.from({ length: 10 }, () => randomUUID());
  const write = async (api: string, name: string): Promise<void> => {
    for (let turn = 0; turn < 10; turn += 1) {
      await Promise.all(
        ids.map((id) =>
          send(`${api}/customers/${id}`, 'PUT', { email: `${name}${turn}@example.com` }),
        ),
      );
    }
  };
  await Promise.all([write(east, 'east'), write(west, 'west')]);

  const found = await untilEqual(cluster);
  for (const id of ids) expect(found.get(id)?.email).toMatch(/^(?:east|west)9@example\.com$/);
});
