import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import tls from 'node:tls';
import { ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { createCertificate } from '../testing/certificate.ts';
import { receiveOne, type SdkHarness, startSdkHarness } from '../testing/sdk-harness.ts';

const trusted = tls.getCACertificates('default');

let sdk: SdkHarness;
beforeAll(async () => {
  const identity = await createCertificate();
  // What NODE_EXTRA_CA_CERTS does for a process.
  tls.setDefaultCACertificates([...trusted, identity.cert]);
  sdk = await startSdkHarness({ queues: ['q'], tls: identity });
});
afterAll(async () => {
  tls.setDefaultCACertificates(trusted);
  await sdk.close();
  expect(sdk.failures).toEqual([]);
});

/** As a connection string for the service is: without the switch for emulators. */
function securely(connectionString: string): string {
  return connectionString
    .replace('127.0.0.1', 'localhost')
    .replace(';UseDevelopmentEmulator=true', '');
}

describe('an emulator with a certificate', () => {
  it('serves messages to a client that speaks TLS', async () => {
    const client = new ServiceBusClient(securely(sdk.emulator.connectionString));
    await client.createSender('q').sendMessages({ body: Buffer.alloc(200_000, 7) });
    const receiver = client.createReceiver('q');
    const message = await receiveOne(receiver);
    expect(message.body).toEqual(Buffer.alloc(200_000, 7));
    await receiver.completeMessage(message);
    await client.close();
  });

  it('serves an administration client as it comes', async () => {
    const admin = new ServiceBusAdministrationClient(securely(sdk.emulator.adminConnectionString));
    await admin.createQueue('made');
    expect((await admin.getQueueRuntimeProperties('made')).totalMessageCount).toBe(0);
    const names: string[] = [];
    for await (const { name } of admin.listQueues()) names.push(name);
    expect(names).toEqual(['made', 'q']);
    await admin.deleteQueue('made');
  });

  it('H10: serves messages to a client that comes over WebSockets', async () => {
    const { amqpPort, adminPort } = sdk.emulator;
    const text = securely(sdk.emulator.connectionString).replace(`${amqpPort}`, `${adminPort}`);
    const client = new ServiceBusClient(text, { webSocketOptions: { webSocket: WebSocket } });
    await client.createSender('q').sendMessages({ body: Buffer.alloc(200_000, 3) });
    const receiver = client.createReceiver('q');
    const message = await receiveOne(receiver);
    expect(message.body).toEqual(Buffer.alloc(200_000, 3));
    await receiver.completeMessage(message);
    await client.close();
  });

  it.each([
    ['/$servicebus/websocket', { origin: 'https://evil.example' }, 403],
    ['/elsewhere', {}, 404],
  ])('H10: refuses a WebSocket at %s with %o', async (path, headers, status) => {
    const url = `ws://127.0.0.1:${sdk.emulator.adminPort}${path}`;
    const socket = new WebSocket(url, ['AMQPWSB10'], { headers });
    socket.on('error', () => undefined);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(status);
    response.resume();
  });

  it('still serves plain clients on the same ports', async () => {
    await sdk.client.createSender('q').sendMessages({ body: 1 });
    const receiver = sdk.client.createReceiver('q', { receiveMode: 'receiveAndDelete' });
    expect((await receiveOne(receiver)).body).toBe(1);
    expect(await sdk.admin.queueExists('q')).toBe(true);
  });

  it('is not disturbed by a handshake that fails, or one that stays away', async () => {
    const { amqpPort } = sdk.emulator;
    const broken = connect(amqpPort, '127.0.0.1', () => broken.write(Buffer.alloc(64, 0x16)));
    broken.on('error', () => undefined);
    const silent = connect(amqpPort, '127.0.0.1');
    await once(silent, 'connect');
    broken.resume();
    await once(broken, 'close');
    expect(await sdk.admin.queueExists('q')).toBe(true);
    silent.destroy();
  });
});
