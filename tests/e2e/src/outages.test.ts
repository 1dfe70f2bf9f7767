import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { untilEqual } from './compare-regions.ts';
import { send, until } from './customers-client.ts';
import type { E2eCluster } from './harness/e2e-cluster.ts';
import { startCluster } from './harness/start-cluster.ts';

const WRITES = 20;

let cluster: E2eCluster;
let east: string;
let west: string;

beforeAll(async () => {
  cluster = await startCluster();
  east = cluster.region('east').addresses.api;
  west = cluster.region('west').addresses.api;
});

afterAll(() => cluster?.stop());

/** Ids of customers that the API has acknowledged. */
async function writeSome(api: string, name: string): Promise<string[]> {
  const ids = Array.from({ length: WRITES }, () => randomUUID());
  for (const [n, id] of ids.entries()) {
    const body = { email: `${name}${n}@example.com` };
    const { status } = await send(`${api}/customers/${id}`, 'PUT', body);
    expect(status).toBe(201);
  }
  return ids;
}

async function expectAllIn(ids: readonly string[]): Promise<void> {
  const found = await untilEqual(cluster);
  expect(ids.filter((id) => !found.has(id))).toEqual([]);
}

test('the network between the regions is cut: both go on, and agree when it heals', async () => {
  const shared = randomUUID();
  await send(`${east}/customers/${shared}`, 'PUT', { email: 'before@example.com' });
  await untilEqual(cluster);
  await cluster.cut();
  const ids = [...(await writeSome(east, 'cut-east')), ...(await writeSome(west, 'cut-west'))];
  await send(`${east}/customers/${shared}`, 'PATCH', { email: 'east@example.com' });
  await send(`${west}/customers/${shared}`, 'PATCH', { phoneNumber: 'west' });
  // It is a cut: what was written in one is not in the other.
  const [first = ''] = ids;
  expect((await send(`${west}/customers/${first}`, 'GET')).status).toBe(404);
  await cluster.heal();

  await expectAllIn(ids);
  const { body } = await send(`${west}/customers/${shared}`, 'GET');
  expect(body).toMatchObject({ email: 'east@example.com', phoneNumber: 'west' });
});

test('I13: a broker is down: both regions take writes, which arrive when it is back', async () => {
  const { broker } = cluster.region('west');
  await broker.stop();
  const ids = [...(await writeSome(east, 'bus-east')), ...(await writeSome(west, 'bus-west'))];
  await broker.start();

  await expectAllIn(ids);
});

test('a storage account is down: its region refuses, the other goes on, then all is equal', async () => {
  const { store } = cluster.region('west');
  const before = await writeSome(west, 'store-west');
  await store.stop();
  const refused = await send(`${west}/customers/${randomUUID()}`, 'PUT', {
    email: 'no@example.com',
  });
  expect(refused.status).toBe(503);
  const meanwhile = await writeSome(east, 'store-east');
  await store.start();

  await until('west to take writes again', async () => {
    const body = { email: 'again@example.com' };
    const { status } = await send(`${west}/customers/${randomUUID()}`, 'PUT', body);
    return status === 201 ? true : undefined;
  });
  await expectAllIn([...before, ...meanwhile]);
});
