import { createHmac } from 'node:crypto';
import { ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createEmulator, type Emulator, usePlainHttp } from '../create-emulator.ts';
import { connectRawPeer, parseConnectionString, type RawPeer } from './raw-peer.ts';

/**
 * Always against this emulator: the tests need keys with fewer rights, which cannot be made through
 * the data plane of another broker.
 */
const KEYS = {
  root: 'cm9vdA==',
  send: 'c2VuZA==',
  listen: 'bGlzdGVu',
  own: 'b3du',
  second: 'c2Vjb25k',
};

let emulator: Emulator;
const clients: ServiceBusClient[] = [];
const peers: RawPeer[] = [];
beforeAll(async () => {
  emulator = await createEmulator({
    queues: [
      'q',
      'other',
      {
        name: 'guarded',
        authorizationRules: [
          {
            name: 'own',
            primaryKey: KEYS.own,
            secondaryKey: KEYS.second,
            rights: ['Manage', 'Send', 'Listen'],
            createdAtMs: 0,
          },
        ],
      },
    ],
    sharedAccessKey: { name: 'root', key: KEYS.root },
    sharedAccessRules: [
      { name: 'send', key: KEYS.send, rights: ['Send'] },
      { name: 'listen', key: KEYS.listen, rights: ['Listen'] },
    ],
  });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  for (const peer of peers.splice(0)) await peer.close();
});
afterAll(() => emulator.close());

const withKey = (text: string, name: string, key: string) =>
  text.replace('SharedAccessKeyName=root', `SharedAccessKeyName=${name}`).replace(KEYS.root, key);

function clientWith(name: string, key: string): ServiceBusClient {
  const text = withKey(emulator.connectionString, name, key);
  const client = new ServiceBusClient(text, { retryOptions: { maxRetries: 0 } });
  clients.push(client);
  return client;
}

async function connect(login?: { username: string; password: string }): Promise<RawPeer> {
  const peer = await connectRawPeer(parseConnectionString(emulator.connectionString), login);
  peers.push(peer);
  return peer;
}

interface TokenOptions {
  readonly path?: string;
  readonly lifeSeconds?: number;
  readonly key?: string;
}

function token(
  name: keyof typeof KEYS,
  { path = 'q', lifeSeconds = 60, key = KEYS[name] }: TokenOptions = {},
): string {
  const resource = encodeURIComponent(`sb://127.0.0.1/${path}`);
  const expiry = Math.floor(Date.now() / 1_000) + lifeSeconds;
  const signature = createHmac('sha256', key).update(`${resource}\n${expiry}`).digest('base64');
  const sig = encodeURIComponent(signature);
  return `SharedAccessSignature sr=${resource}&sig=${sig}&se=${expiry}&skn=${name}`;
}

async function putToken(peer: RawPeer, body: unknown, path = 'q') {
  const answer = await peer.request('$cbs', {
    properties: {
      operation: 'put-token',
      type: 'servicebus.windows.net:sastoken',
      name: `sb://127.0.0.1/${path}`,
    },
    body,
  });
  return answer['application_properties'] as Record<string, unknown>;
}

const UNAUTHORIZED = { code: 'UnauthorizedAccess' };
const REFUSED = { condition: 'amqp:unauthorized-access' };

describe('keys and the SDK', () => {
  it('lets the key with all rights send and receive', async () => {
    const client = clientWith('root', KEYS.root);
    await client.createSender('q').sendMessages({ body: 1 });
    const receiver = client.createReceiver('q', { receiveMode: 'receiveAndDelete' });
    expect(await receiver.receiveMessages(1)).toHaveLength(1);
  });

  it('refuses a wrong key', async () => {
    const client = clientWith('root', 'd3Jvbmc=');
    await expect(client.createSender('q').sendMessages({ body: 1 })).rejects.toMatchObject(
      UNAUTHORIZED,
    );
  });

  it('refuses an unknown key name', async () => {
    const client = clientWith('nobody', KEYS.root);
    await expect(client.createSender('q').sendMessages({ body: 1 })).rejects.toMatchObject(
      UNAUTHORIZED,
    );
  });

  it('lets a key with the right to send do so', async () => {
    await clientWith('send', KEYS.send).createSender('other').sendMessages({ body: 1 });
  });

  it('refuses to let a key without the right to listen receive', async () => {
    const receiver = clientWith('send', KEYS.send).createReceiver('q');
    await expect(receiver.receiveMessages(1)).rejects.toMatchObject(UNAUTHORIZED);
  });

  it('refuses to let a key without the right to send do so', async () => {
    const sender = clientWith('listen', KEYS.listen).createSender('q');
    await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject(UNAUTHORIZED);
  });

  it('lets a key with the right to listen peek', async () => {
    const peeked = await clientWith('listen', KEYS.listen).createReceiver('other').peekMessages(1);
    expect(peeked.length).toBeLessThanOrEqual(1);
  });

  it('refuses administration without the right to manage', async () => {
    const text = withKey(emulator.adminConnectionString, 'listen', KEYS.listen);
    const admin = usePlainHttp(new ServiceBusAdministrationClient(text));
    await expect(admin.getQueue('q')).rejects.toMatchObject({ statusCode: 401 });
  });
});

describe('the keys of a queue', () => {
  it.each([
    ['primary', KEYS.own],
    ['secondary', KEYS.second],
  ])('open that queue: %s', async (_, key) => {
    const client = clientWith('own', key);
    await client.createSender('guarded').sendMessages({ body: 1 });
    const receiver = client.createReceiver('guarded', { receiveMode: 'receiveAndDelete' });
    expect(await receiver.receiveMessages(1)).toHaveLength(1);
    expect(await receiver.peekMessages(1)).toEqual([]);
  });

  it('open no other queue', async () => {
    const sender = clientWith('own', KEYS.own).createSender('q');
    await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject(UNAUTHORIZED);
  });

  it('sign no token for more than the queue', async () => {
    const wide = token('own', { path: '' });
    const answer = await putToken(await connect(), wide, 'guarded');
    expect(answer).toMatchObject({ 'status-code': 401 });
  });

  it('administer that queue and no other', async () => {
    const text = withKey(emulator.adminConnectionString, 'own', KEYS.own);
    const admin = usePlainHttp(new ServiceBusAdministrationClient(text));
    expect(await admin.getQueue('guarded')).toMatchObject({ name: 'guarded' });
    await expect(admin.getQueue('q')).rejects.toMatchObject({ statusCode: 401 });
  });
});

describe('tokens on the claims node', () => {
  it('are accepted with 202', async () => {
    expect(await putToken(await connect(), token('root'))).toMatchObject({ 'status-code': 202 });
  });

  it.each([
    ['an expired token', () => token('root', { lifeSeconds: -5 }), 'ExpiredToken'],
    ['a wrong signature', () => token('root', { key: 'eA==' }), 'InvalidSignature'],
    ['a token of another kind', () => 'Bearer abc', 'MalformedToken'],
    ['a token for another queue', () => token('root', { path: 'other' }), 'InvalidAudience'],
    ['no token', () => null, 'MalformedToken'],
  ])('are refused with 401: %s', async (_, body, reason) => {
    expect(await putToken(await connect(), body())).toMatchObject({
      'status-code': 401,
      'error-condition': 'amqp:unauthorized-access',
      'status-description': expect.stringContaining(reason) as string,
    });
  });

  it('open the links to their own queue only', async () => {
    const peer = await connect();
    await putToken(peer, token('root'));
    expect(await peer.openReceiver({ source: { address: 'q' } })).toMatchObject({ kind: 'open' });
    expect(await peer.openReceiver({ source: { address: 'other' } })).toMatchObject(REFUSED);
  });

  it('are needed: a link without one is refused', async () => {
    const peer = await connect();
    expect(await peer.openSender({ target: { address: 'q' } })).toMatchObject(REFUSED);
  });

  it('count for one connection only', async () => {
    await putToken(await connect(), token('root'));
    const other = await connect();
    expect(await other.openSender({ target: { address: 'q' } })).toMatchObject(REFUSED);
  });
});

describe('SASL PLAIN', () => {
  it('logs in with the name and the key of a rule, which needs no token then', async () => {
    const peer = await connect({ username: 'send', password: KEYS.send });
    expect(await peer.openSender({ target: { address: 'q' } })).toMatchObject({ kind: 'open' });
    expect(await peer.openReceiver({ source: { address: 'q' } })).toMatchObject(REFUSED);
  });

  it('refuses a wrong key', async () => {
    await expect(connect({ username: 'send', password: 'wrong' })).rejects.toThrow('refused');
  });
});
