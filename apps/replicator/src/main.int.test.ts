import { once } from 'node:events';
import { createServer } from 'node:net';
import { openStore } from '@tandem/region';
import {
  countCustomers,
  startReplicator,
  startTwoRealRegions,
  until,
  untilCount,
  untilRelayed,
  writeCustomers,
} from '@tandem/region/testing';
import { seedConfiguration, tandemSettings } from '@tandem/storage';
import { startAzurite } from '@tandem/storage/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { environmentOf, fetchJson, startProcess } from './testing/start-process.ts';

/** More than two batches of the receive loop. */
const MANY = 900;

async function startStorage() {
  const azurite = await startAzurite();
  onTestFinished(() => azurite.stop());
  return azurite;
}

describe('starting the process', () => {
  test('lists every problem of the environment at once and exits with 1', async () => {
    const process = startProcess({ PORT: 'x' });
    expect(await process.exitCode).toBe(1);
    expect(await process.stderr).toMatch(/REGION_ID(.|\n)*PORT(.|\n)*STORAGE_CONNECTION/);
  });

  test('lists every problem of the table Configuration at once and exits with 1', async () => {
    const azurite = await startStorage();
    const store = openStore(azurite.connectionString);
    await seedConfiguration({
      store,
      definitions: tandemSettings,
      values: { 'Sweep.IntervalMs': '1000' },
    });
    const soon = new Map([['value', { type: 'String' as const, value: 'soon' }]]);
    await store.commit({
      table: 'Configuration',
      partitionKey: 'Configuration',
      operations: [{ kind: 'upsert', rowKey: 'Sweep.IntervalMs', properties: soon }],
    });
    const process = startProcess({
      REGION_ID: 'east',
      PORT: '0',
      STORAGE_CONNECTION: azurite.connectionString,
    });
    expect(await process.exitCode).toBe(1);
    expect(await process.stderr).toMatch(
      /ServiceBusConnection(.|\n)*Sweep\.IntervalMs|Sweep\.IntervalMs(.|\n)*ServiceBusConnection/,
    );
  });

  test('names a variable that overrides a setting and cannot be used, and exits with 1', async () => {
    const process = startProcess({
      REGION_ID: 'east',
      PORT: '0',
      STORAGE_CONNECTION: 'UseDevelopmentStorage=true',
      SWEEP_INTERVAL_MS: 'soon',
    });
    expect(await process.exitCode).toBe(1);
    expect(await process.stderr).toContain('SWEEP_INTERVAL_MS');
  });

  test('says in one sentence that its port is taken, and exits with 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => void taken.close());
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const process = startProcess({
      REGION_ID: 'east',
      PORT: String(port),
      STORAGE_CONNECTION: 'UseDevelopmentStorage=true',
    });
    expect(await process.exitCode).toBe(1);
    expect(await process.stderr).toBe(
      `Port ${port} on 127.0.0.1 is already in use: set PORT to another one (0 takes any free one).\n`,
    );
  });

  test('has nothing to do in memory, says so and exits with 0', async () => {
    const azurite = await startStorage();
    await seedConfiguration({
      store: openStore(azurite.connectionString),
      definitions: tandemSettings,
      values: { 'Customer.DataAccess': 'memory' },
    });
    const process = startProcess({
      REGION_ID: 'east',
      PORT: '0',
      STORAGE_CONNECTION: azurite.connectionString,
    });
    expect(await process.exitCode).toBe(0);
    expect(process.lines.map(({ event }) => event)).toContain('nothing-to-do');
  });
});

describe('the process', () => {
  test('comes up while storage and broker are down, not ready, and gets ready when they are back', async () => {
    const { east } = await startTwoRealRegions();
    await east.stopStorage();
    await east.stopBroker();
    const process = startProcess(environmentOf(east));
    await process.untilEvent('region-not-opened');
    expect(await fetchJson(process, '/health/live')).toMatchObject({ status: 200 });
    expect(await fetchJson(process, '/health/ready')).toMatchObject({
      status: 503,
      body: { reasons: [{ kind: 'opening' }] },
    });
    await east.startStorage();
    await process.untilEvent('replicating');
    await until('only the queue is missing', async () => {
      const { body } = await fetchJson(process, '/health/ready');
      return JSON.stringify(body).includes(
        '"reasons":[{"kind":"loop-not-through","loop":"receive"}]',
      );
    });
    await east.startBroker();
    await until('the process is ready', async () => {
      return (await fetchJson(process, '/health/ready')).status === 200;
    });
    const { body } = await fetchJson(process, '/status');
    expect(JSON.stringify(body)).not.toMatch(/SharedAccessKey|AccountKey/);
  });

  test('stops cleanly while its storage and its broker are down', async () => {
    const { east } = await startTwoRealRegions();
    const process = startProcess(environmentOf(east));
    await until('the process is ready', async () => {
      return (await fetchJson(process, '/health/ready')).status === 200;
    });
    await east.stopBroker();
    await east.stopStorage();
    await process.untilEvent('loop-failed');
    process.child.kill('SIGTERM');
    expect(await process.exitCode).toBe(0);
    expect(process.lines.at(-1)).toMatchObject({ event: 'shutdown-finished' });
  });

  test('SIGTERM during a batch loses nothing: the batch ends, the rest is given back', async () => {
    const { east, west } = await startTwoRealRegions();
    startReplicator(east);
    const inWest = startProcess(environmentOf(west));
    await inWest.untilEvent('queue-created');
    await west.stopStorage();
    await writeCustomers(east, { from: 1, count: MANY });
    await untilRelayed(east);
    await west.startStorage();
    await until('west applies', async () => (await countCustomers(west)) > 0);
    inWest.child.kill('SIGTERM');
    expect(await inWest.exitCode).toBe(0);
    expect(await countCustomers(west)).toBeLessThan(MANY);

    const again = startProcess(environmentOf(west));
    await untilCount(west, MANY);
    const { body } = await fetchJson(again, '/status');
    expect(body).toMatchObject({ sinceStart: { deadLettered: 0 } });
  });

  test('SIGKILL during a batch loses nothing: what was locked comes again', async () => {
    const { east, west } = await startTwoRealRegions([{ name: 'customer', lockDurationMs: 4_000 }]);
    startReplicator(east);
    await writeCustomers(east, { from: 1, count: MANY });
    await untilRelayed(east);
    const inWest = startProcess(environmentOf(west));
    await until('west applies', async () => (await countCustomers(west)) > 0);
    inWest.child.kill('SIGKILL');
    await inWest.exitCode;
    expect(await countCustomers(west)).toBeLessThan(MANY);

    const again = startProcess(environmentOf(west));
    await untilCount(west, MANY);
    const { body } = await fetchJson(again, '/status');
    expect(body).toMatchObject({ sinceStart: { deadLettered: 0 } });
  });
});
