import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startControlServer } from '../control/control-server.ts';
import { createEmulator } from '../create-emulator.ts';
import {
  receiveBriefly,
  receiveExactly,
  receiveOne,
  type SdkHarness,
  startSdkHarness,
} from '../testing/sdk-harness.ts';

let sdk: SdkHarness;
beforeEach(async () => {
  sdk = await startSdkHarness({ queues: ['q', 'other'], controlPort: 0 });
});
afterEach(async () => {
  await sdk.close();
  expect(sdk.failures).toEqual([]);
});

async function ask(path: string, body?: object): Promise<{ status: number; problem?: string }> {
  const response = await fetch(`http://127.0.0.1:${sdk.emulator.controlPort}${path}`, {
    method: 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const { problem } = (text === '' ? {} : JSON.parse(text)) as { problem?: string };
  return { status: response.status, ...(problem === undefined ? {} : { problem }) };
}

describe('faults over HTTP', () => {
  it('have no address unless they are asked for', async () => {
    const emulator = await createEmulator();
    expect(emulator.controlPort).toBeUndefined();
    await emulator.close();
  });

  it.each(['constructor', '__proto__', 'toString', 'no-such-thing'])(
    'H11: have no action "%s"',
    async (action) => {
      expect(await ask(`/queues/q/${action}`)).toMatchObject({ status: 404 });
    },
  );

  it('H11: tell a failure of their own from a queue that is absent', async () => {
    expect(await ask('/queues/absent/pause')).toMatchObject({ status: 404 });
    const failures: unknown[] = [];
    const server = await startControlServer({
      host: '127.0.0.1',
      port: 0,
      allowedHosts: [],
      find: () => {
        throw new Error('broken');
      },
      onFailure: (error) => failures.push(error),
    });
    const response = await fetch(`http://127.0.0.1:${server.port}/queues/q/pause`, {
      method: 'POST',
    });
    expect(response.status).toBe(500);
    expect(failures).toEqual([new Error('broken')]);
    await server.close();
  });

  it('pause and resume a queue', async () => {
    expect(await ask('/queues/q/pause')).toEqual({ status: 204 });
    let answered = false;
    const sending = sdk.client
      .createSender('q')
      .sendMessages({ body: 1 })
      .then(() => (answered = true));
    await sdk.client.createSender('other').sendMessages({ body: 1 });
    expect(answered).toBe(false);
    await ask('/queues/q/resume');
    await sending;
  });

  it('refuse the next operations of a kind with the condition', async () => {
    const busy = { count: 1, condition: 'com.microsoft:server-busy' };
    const sender = sdk.client.createSender('q');
    const receiver = sdk.client.createReceiver('q');
    await sender.sendMessages({ body: 1 });
    const message = await receiveOne(receiver);
    await ask('/queues/q/fail', { ...busy, operation: 'settle' });
    await expect(receiver.completeMessage(message)).rejects.toMatchObject({ code: 'ServiceBusy' });
    await ask('/queues/q/fail', { ...busy, operation: 'manage' });
    await expect(receiver.peekMessages(1)).rejects.toMatchObject({ code: 'ServiceBusy' });
    await ask('/queues/q/fail', { ...busy, operation: 'attach' });
    await expect(sdk.client.createSender('q').sendMessages({ body: 2 })).rejects.toMatchObject({
      code: 'ServiceBusy',
    });
    expect((await receiver.peekMessages(1)).length).toBe(1);
  });

  it('hold settlements until they are released', async () => {
    await sdk.client.createSender('q').sendMessages({ body: 1 });
    const receiver = sdk.client.createReceiver('q');
    const message = await receiveOne(receiver);
    await ask('/queues/q/hold-settlements');
    let settled = false;
    const settling = receiver.completeMessage(message).then(() => (settled = true));
    expect((await receiver.peekMessages(1)).length).toBe(1);
    expect(settled).toBe(false);
    await ask('/queues/q/release-settlements');
    await settling;
    expect(await receiver.peekMessages(1, { fromSequenceNumber: message.sequenceNumber! })).toEqual(
      [],
    );
  });

  it('send a delivery twice, of which one can be settled', async () => {
    await ask('/queues/q/duplicate', { count: 1 });
    await sdk.client.createSender('q').sendMessages({ body: 1 });
    const receiver = sdk.client.createReceiver('q');
    const [first, second] = await receiveExactly(receiver, 2);
    expect(second?.sequenceNumber).toEqual(first?.sequenceNumber);
    await receiver.completeMessage(first!);
    await expect(receiver.completeMessage(second!)).rejects.toMatchObject({
      code: 'MessageLockLost',
    });
    expect(await receiveBriefly(receiver)).toEqual([]);
  });

  it('drop the links to a queue, which their clients open again', async () => {
    const received: unknown[] = [];
    const subscription = sdk.client.createReceiver('q').subscribe({
      processMessage: async ({ body }) => void received.push(body),
      processError: async () => undefined,
    });
    const sender = sdk.client.createSender('q');
    await sender.sendMessages({ body: 1 });
    await expect.poll(() => received).toEqual([1]);
    expect(await ask('/queues/q/drop-links')).toEqual({ status: 204 });
    await sdk.client.createSender('q').sendMessages({ body: 2 });
    await expect.poll(() => received).toEqual([1, 2]);
    await subscription.close();
  });

  it('drop every connection', async () => {
    await sdk.client.createSender('q').sendMessages({ body: 1 });
    expect(await ask('/connections/drop')).toEqual({ status: 204 });
    expect((await receiveOne(sdk.client.createReceiver('q'))).body).toBe(1);
  });

  it.each([
    ['/queues/absent/pause', undefined, 404, "no queue 'absent'"],
    ['/queues/q/unknown', undefined, 404, 'no action'],
    ['/queues/q/fail', { count: 1 }, 400, "'condition'"],
    ['/queues/q/fail', { condition: 'a:b', operation: 'peek' }, 400, "'operation'"],
    ['/queues/q/duplicate', { count: -1 }, 400, "'count'"],
    ['/queues/q/pause?namespace=x', undefined, 404, 'no such namespace'],
  ])('say what is wrong with %s %j', async (path, body, status, problem) => {
    expect(await ask(path, body)).toEqual({
      status,
      problem: expect.stringContaining(problem) as string,
    });
  });
});

/** Exactly these headers and this target, which fetch would not send. */
async function post(
  port: number,
  headers: Record<string, string>,
  path = '/queues/q/pause',
): Promise<number | undefined> {
  const outgoing = request({ port, host: '127.0.0.1', method: 'POST', path, headers });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

describe('a target as clients write it', () => {
  it.each([
    ['//queues/q/pause', 204],
    ['///connections/drop', 204],
    ['http://localhost:1/queues/q/resume', 204],
    ['//', 404],
    ['//[/queues/q/pause', 404],
    ['/queues//q/pause', 404],
    ['http://[::1', 403],
    ['http://x:y/queues/q/pause', 403],
    ['http://localhost:99999/', 400],
  ])('is answered by control: %s', async (path, status) => {
    expect(await post(sdk.emulator.controlPort ?? 0, {}, path)).toBe(status);
  });

  it.each([
    ['//q', 404],
    ['//health', 200],
    ['//', 404],
    ['http://localhost:99999/', 400],
  ])('is answered by administration: %s', async (path, status) => {
    expect(await post(sdk.emulator.adminPort, {}, path)).toBe(status);
  });

  it('may come with a host that is none, where tokens are verified', async () => {
    const emulator = await createEmulator({ sharedAccessKey: { name: 'k', key: 'secret' } });
    expect(await post(emulator.adminPort, { host: 'a b' }, '/q')).toBe(400);
    await emulator.close();
  });

  it('B8: and a body that begins with a byte order mark', async () => {
    const address = `http://127.0.0.1:${sdk.emulator.controlPort}/queues/q/duplicate`;
    const body = '\uFEFF{"count":0}\r\n';
    expect((await fetch(address, { method: 'POST', body })).status).toBe(204);
  });
});

describe('G1: a page in a browser', () => {
  it.each([
    [{ origin: 'http://evil.example' }],
    [{ origin: 'null' }],
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ host: 'evil.example' }],
    [{ host: '127.0.0.1.evil.example:5300' }],
    [{ host: 'east.evil.example' }],
  ])('is refused by control and by administration: %j', async (headers) => {
    const { controlPort = 0, adminPort } = sdk.emulator;
    expect(await post(controlPort, headers)).toBe(403);
    expect(await post(controlPort, headers, '/connections/drop')).toBe(403);
    expect(await post(adminPort, headers, '/q')).toBe(403);
    await sdk.client.createSender('q').sendMessages({ body: 1 });
  });

  it.each(['localhost:1', 'broker:5300', '[::1]:5300', 'q.servicebus.windows.net'])(
    'is not what asks for %s',
    async (host) => {
      expect(await post(sdk.emulator.controlPort ?? 0, { host }, '/connections/drop')).toBe(204);
      expect(await post(sdk.emulator.adminPort, { host }, '/q')).toBe(404);
    },
  );

  it('may be asked for by a name that was allowed, and by any where tokens are verified', async () => {
    const allowedHosts = ['bus.example'];
    const sharedAccessKey = { name: 'k', key: 'secret' };
    const [named, verified] = [
      await createEmulator({ controlPort: 0, allowedHosts }),
      await createEmulator({ sharedAccessKey }),
    ];
    const headers = { host: 'bus.example:1' };
    expect(await post(named.controlPort ?? 0, headers, '/connections/drop')).toBe(204);
    expect(await post(verified.adminPort, headers, '/q')).toBe(401);
    await Promise.all([named.close(), verified.close()]);
  });
});
