import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cluster, Region } from '@tandem/local-cluster';
import { expect, onTestFinished, test } from 'vitest';
import { writeInventory } from './describe-cluster.ts';

test('the inventory names every region with what a command needs to reach it, and to lose it', async () => {
  const dataFolder = await mkdtemp(join(tmpdir(), 'tandem-inventory-'));
  onTestFinished(() => rm(dataFolder, { recursive: true }));
  const addresses = {
    api: 'http://127.0.0.1:1',
    replicator: 'http://127.0.0.1:2',
    tables: 'TableEndpoint=http://127.0.0.1:3',
    broker: 'Endpoint=sb://127.0.0.1:4',
    brokerAdmin: 'Endpoint=sb://127.0.0.1:5',
    tableEndpoint: 'TableEndpoint=http://127.0.0.1:6/devstoreaccount1',
  };
  const regions = [{ name: 'east', addresses }] as unknown as readonly Region[];
  const trafficManagerUrl = 'http://127.0.0.1:6';
  const file = join(dataFolder, 'tandem.regions.json');
  await writeFile(file, '', { mode: 0o644 });
  await writeInventory({ dataFolder, regions, trafficManagerUrl } as Cluster);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
    version: 1,
    regions: [
      {
        name: 'east',
        storage: addresses.tables,
        serviceBus: addresses.broker,
        serviceBusAdministration: addresses.brokerAdmin,
        api: addresses.api,
        replicator: addresses.replicator,
        processes: join(dataFolder, 'east.pids'),
      },
    ],
    trafficManager: trafficManagerUrl,
  });
  // G4: it holds keys, and an older one is narrowed.
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});
