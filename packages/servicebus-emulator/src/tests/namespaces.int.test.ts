import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmulator, type Emulator, usePlainHttp } from '../create-emulator.ts';
import { receiveBriefly, receiveOne } from '../testing/sdk-harness.ts';

let folder: string;
let emulator: Emulator;
const start = () =>
  createEmulator({
    location: folder,
    queues: ['q'],
    namespaces: [{ name: 'east', queues: ['q'] }, { name: 'west' }],
  });
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'namespaces.'));
  emulator = await start();
});
afterEach(async () => {
  await emulator.close();
  await rm(folder, { recursive: true });
});

/** A client that asks for the host and is led to the emulator, as behind a private endpoint. */
function clientOf(host: string): ServiceBusClient {
  const text = emulator.connectionString.replace(/sb:\/\/[^;]+/, `sb://${host}`);
  return new ServiceBusClient(text, {
    customEndpointAddress: `sb://127.0.0.1:${emulator.amqpPort}`,
    retryOptions: { maxRetries: 0 },
  });
}

/** Asks the administration for the host. */
function adminOf(host: string): ServiceBusAdministrationClient {
  const admin = usePlainHttp(new ServiceBusAdministrationClient(emulator.adminConnectionString));
  const internals = admin as unknown as {
    pipeline: { addPolicy(policy: { name: string; sendRequest: unknown }): void };
  };
  internals.pipeline.addPolicy({
    name: 'host',
    sendRequest(
      request: { headers: { set(n: string, v: string): void } },
      next: (r: unknown) => unknown,
    ) {
      request.headers.set('host', host);
      return next(request);
    },
  });
  return admin;
}

describe('several namespaces', () => {
  it('keep their queues apart, by the first label of the host', async () => {
    const clients = ['east.servicebus.windows.net', 'elsewhere.example'].map(clientOf);
    const [east, first] = clients;
    await east!.createSender('q').sendMessages({ body: 'in east' });
    expect(await receiveBriefly(first!.createReceiver('q'))).toEqual([]);
    expect((await receiveOne(east!.createReceiver('q'))).body).toBe('in east');
    await Promise.all(clients.map((client) => client.close()));
  });

  it('have an administration each', async () => {
    const west = adminOf('west.servicebus.windows.net');
    expect((await west.getNamespaceProperties()).name).toBe('west');
    expect(await west.queueExists('q')).toBe(false);
    await west.createQueue('only-here');
    expect(await adminOf('east.servicebus.windows.net').queueExists('only-here')).toBe(false);
  });

  it('survive a restart with their queues and messages', async () => {
    const before = clientOf('east');
    await before.createSender('q').sendMessages({ body: 'kept' });
    await before.close();
    await emulator.close();
    emulator = await start();
    const after = clientOf('east');
    expect((await receiveOne(after.createReceiver('q'))).body).toBe('kept');
    await after.close();
  });

  it('have faults of their own', async () => {
    emulator.controlOf('east').failNext('q', 1, 'com.microsoft:server-busy');
    const [east, first] = [clientOf('east'), clientOf('emulator')];
    await first.createSender('q').sendMessages({ body: 1 });
    await expect(east.createSender('q').sendMessages({ body: 1 })).rejects.toMatchObject({
      code: 'ServiceBusy',
    });
    expect(() => emulator.controlOf('north')).toThrow("no namespace 'north'");
    await Promise.all([east.close(), first.close()]);
  });

  it('need names that differ', async () => {
    const namespaces = [{ name: 'a' }, { name: 'A' }];
    await expect(createEmulator({ namespaces })).rejects.toThrow("'A' is taken or invalid");
  });
});
