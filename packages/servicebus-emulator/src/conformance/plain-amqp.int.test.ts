import rhea, { type EventContext, type Message, type Receiver, type Sender } from 'rhea';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openConformanceTarget, waitFor, type ConformanceTarget } from './conformance-target.ts';
import {
  connectRawPeer,
  parseConnectionString,
  type LinkOutcome,
  type RawPeer,
} from './raw-peer.ts';

let target: ConformanceTarget;
let peer: RawPeer;
beforeAll(async () => {
  target = await openConformanceTarget();
  peer = await connectRawPeer(parseConnectionString(target.connectionString));
});
afterAll(async () => {
  await peer.close();
  await target.close();
});

const PRESETTLED = 1;
const UNSETTLED = 0;
const BATCH_FORMAT = 0x8001_3700;
const MANAGEMENT = '$management';

function opened<Link>(outcome: LinkOutcome<Link>): Link {
  if (outcome.kind === 'refused') throw new Error(`${outcome.condition}: ${outcome.description}`);
  return outcome.link;
}

/** Sends one message and resolves to how the broker settled it. */
async function sendAndSettle(sender: Sender, message: Message | Buffer, format?: number) {
  const settled = new Promise<string>((resolve) => {
    sender.once('accepted', () => resolve('accepted'));
    sender.once('rejected', ({ delivery }: EventContext) => {
      const state = delivery?.remote_state as { error?: { condition?: string } } | undefined;
      resolve(state?.error?.condition ?? 'rejected');
    });
  });
  await waitFor('credit to send', () => (sender.sendable() ? true : undefined));
  sender.send(message, undefined, format);
  return settled;
}

async function queueWith(...bodies: unknown[]) {
  const { name } = await target.newQueue();
  const sender = opened(await peer.openSender({ target: { address: name } }));
  for (const body of bodies) expect(await sendAndSettle(sender, { body })).toBe('accepted');
  return { name, sender };
}

interface Taken {
  readonly link: Receiver;
  readonly contexts: EventContext[];
  readonly bodies: () => unknown[];
}

async function openReceiver(name: string, settleMode: 0 | 1 = UNSETTLED): Promise<Taken> {
  const contexts: EventContext[] = [];
  const link = opened(
    await peer.openReceiver({
      source: { address: name },
      autoaccept: false,
      credit_window: 0,
      snd_settle_mode: settleMode,
    }),
  );
  link.on('message', (context: EventContext) => contexts.push(context));
  return {
    link,
    contexts,
    bodies: () => contexts.map(({ message }) => message?.['body'] as unknown),
  };
}

async function take(taken: Taken, count: number): Promise<EventContext[]> {
  const before = taken.contexts.length;
  taken.link.add_credit(count);
  await waitFor(`${count} messages`, () =>
    taken.contexts.length >= before + count ? true : undefined,
  );
  return taken.contexts.slice(before);
}

/** Uses up the credit or has it taken back, as a client does that stops to receive. */
async function drain({ link }: Taken): Promise<void> {
  const drained = new Promise<void>((resolve) => link.once('receiver_drained', () => resolve()));
  link.drain = true;
  link.add_credit(1);
  await drained;
}

async function firstOf(name: string): Promise<EventContext> {
  const [context] = await take(await openReceiver(name), 1);
  if (context === undefined) throw new Error('Received nothing');
  return context;
}

const annotationsOf = ({ message }: EventContext) =>
  (message?.['message_annotations'] ?? {}) as Record<string, unknown>;

const runtime = (name: string) => target.admin.getQueueRuntimeProperties(name);

describe('sending with plain AMQP', () => {
  it('accepts a message', async () => {
    const { name } = await queueWith('a');
    expect((await firstOf(name)).message?.['body']).toBe('a');
  });

  it('accepts a batch: a message whose data sections are messages', async () => {
    const { name, sender } = await queueWith();
    const encoded = ['a', 'b'].map((body) => rhea.message.encode({ body }));
    const batch = rhea.message.encode({ body: rhea.message.data_sections(encoded) });
    expect(await sendAndSettle(sender, batch, BATCH_FORMAT)).toBe('accepted');
    const receiver = await openReceiver(name);
    await take(receiver, 2);
    expect(receiver.bodies()).toEqual(['a', 'b']);
  });

  it('refuses a message that is too large, and keeps the link', async () => {
    const { sender } = await queueWith();
    const body = 'x'.repeat(300_000);
    expect(await sendAndSettle(sender, { body })).toBe('amqp:link:message-size-exceeded');
    expect(await sendAndSettle(sender, { body: 'small' })).toBe('accepted');
  });

  it('refuses bytes that are no message', async () => {
    const { sender } = await queueWith();
    const garbage = Buffer.from([0x00, 0x53, 0x75, 0xb0, 0xff, 0xff, 0xff, 0xff]);
    expect(await sendAndSettle(sender, garbage, 0)).toBe('amqp:decode-error');
  });

  it('answers the attach with the greatest size of a message', async () => {
    const { sender } = await queueWith();
    expect(sender.max_message_size).toBeGreaterThanOrEqual(256 * 1024);
  });

  it.each([
    ['an absent queue', 'absent', 'amqp:not-found'],
    ['a subscription', 'topic/subscriptions/s', 'amqp:not-implemented'],
  ])('is refused for %s', async (_, address, condition) => {
    expect(await peer.openSender({ target: { address } })).toMatchObject({ condition });
  });

  it('is refused for a dead-letter queue', async () => {
    const { name } = await queueWith();
    const address = `${name}/$deadletterqueue`;
    expect(await peer.openSender({ target: { address } })).toMatchObject({
      condition: 'amqp:not-allowed',
    });
  });

  it('is refused for a subscription of a topic', async () => {
    expect(
      await peer.openReceiver({ source: { address: 'topic/Subscriptions/one' } }),
    ).toMatchObject({ kind: 'refused', condition: 'amqp:not-implemented' });
  });

  it('is refused through another entity', async () => {
    const { name } = await queueWith();
    const outcome = await peer.openSender({
      target: { address: name },
      properties: { 'com.microsoft:transfer-destination-address': name },
    });
    expect(outcome).toMatchObject({ condition: 'amqp:not-implemented' });
  });
});

describe('receiving with plain AMQP', () => {
  it('delivers no more than the credit', async () => {
    const { name } = await queueWith(1, 2, 3);
    const receiver = await openReceiver(name);
    await take(receiver, 2);
    await drain(receiver);
    expect(receiver.bodies()).toEqual([1, 2, 3]);
    const other = await openReceiver(name);
    await drain(other);
    expect(other.bodies()).toEqual([]);
  });

  it('answers a drain of an empty queue', async () => {
    const { name } = await queueWith();
    const receiver = await openReceiver(name);
    await drain(receiver);
    expect(receiver.bodies()).toEqual([]);
  });

  it('annotates number, times and state', async () => {
    const { name } = await queueWith('a');
    const annotations = annotationsOf(await firstOf(name));
    expect(annotations).toMatchObject({
      'x-opt-sequence-number': expect.anything() as number,
      'x-opt-enqueued-time': expect.any(Date) as Date,
      'x-opt-locked-until': expect.any(Date) as Date,
    });
  });

  it('uses the lock token as the delivery tag', async () => {
    const { name } = await queueWith('a');
    expect((await firstOf(name)).delivery?.tag).toHaveLength(16);
  });

  it('counts deliveries in the header, from zero', async () => {
    const { name } = await queueWith('a');
    const receiver = await openReceiver(name);
    const [first] = await take(receiver, 1);
    expect(first?.message?.['delivery_count'] ?? 0).toBe(0);
    first?.delivery?.modified({ delivery_failed: true });
    const [second] = await take(receiver, 1);
    expect(second?.message?.['delivery_count']).toBe(1);
  });

  it('removes what an accepted disposition completes', async () => {
    const { name } = await queueWith('a');
    (await firstOf(name)).delivery?.accept();
    await waitFor('an empty queue', async () =>
      (await runtime(name)).totalMessageCount === 0 ? true : undefined,
    );
  });

  it('offers a released message again', async () => {
    const { name } = await queueWith('a');
    const receiver = await openReceiver(name);
    const [first] = await take(receiver, 1);
    first?.delivery?.release({ delivery_failed: false });
    const [again] = await take(receiver, 1);
    expect(again?.message?.['body']).toBe('a');
  });

  it('defers a message that is modified as undeliverable here', async () => {
    const { name } = await queueWith('a', 'b');
    const receiver = await openReceiver(name);
    const [first] = await take(receiver, 1);
    first?.delivery?.modified({ undeliverable_here: true });
    const [second] = await take(receiver, 1);
    expect(second?.message?.['body']).toBe('b');
    const [deferred] = await target.client.createReceiver(name).peekMessages(1);
    expect(deferred?.state).toBe('deferred');
  });

  it('dead-letters a rejected message, with the reason that it was given', async () => {
    const { name } = await queueWith('a');
    const context = await firstOf(name);
    context.delivery?.reject({
      condition: 'com.microsoft:dead-letter',
      info: { DeadLetterReason: 'why', DeadLetterErrorDescription: 'because' },
    });
    const dead = await firstOf(`${name}/$deadletterqueue`);
    expect(dead.message?.['application_properties']).toMatchObject({
      DeadLetterReason: 'why',
      DeadLetterErrorDescription: 'because',
    });
  });

  it('deletes what it delivers settled', async () => {
    const { name } = await queueWith('a');
    const receiver = await openReceiver(name, PRESETTLED);
    const [context] = await take(receiver, 1);
    expect(context?.message?.['body']).toBe('a');
    expect((await runtime(name)).totalMessageCount).toBe(0);
  });

  it('is refused for an absent queue', async () => {
    expect(await peer.openReceiver({ source: { address: 'absent' } })).toMatchObject({
      condition: 'amqp:not-found',
    });
  });
});

describe('sessions with plain AMQP', () => {
  const filtered = (address: string, sessionId: string | null, timeoutMs = 300) => ({
    source: { address, filter: { 'com.microsoft:session-filter': sessionId as unknown as string } },
    properties: { 'com.microsoft:timeout': rhea.types.wrap_uint(timeoutMs) },
    credit_window: 0,
  });
  const sessionQueue = async () => (await target.newQueue({ requiresSession: true })).name;

  it('answers the attach with the session that it locked', async () => {
    const name = await sessionQueue();
    const link = opened(await peer.openReceiver(filtered(name, 'a')));
    expect(link.source.filter).toMatchObject({ 'com.microsoft:session-filter': 'a' });
    link.close();
  });

  it('accepts the empty string as a session id', async () => {
    const name = await sessionQueue();
    const link = opened(await peer.openReceiver(filtered(name, '')));
    expect(link.source.filter).toMatchObject({ 'com.microsoft:session-filter': '' });
    link.close();
  });

  it('says that a session is locked', async () => {
    const name = await sessionQueue();
    const link = opened(await peer.openReceiver(filtered(name, 'a')));
    expect(await peer.openReceiver(filtered(name, 'a'))).toMatchObject({
      condition: 'com.microsoft:session-cannot-be-locked',
    });
    link.close();
  });

  it('says that the time is over when no session has messages', async () => {
    const name = await sessionQueue();
    expect(await peer.openReceiver(filtered(name, null))).toMatchObject({
      condition: 'com.microsoft:timeout',
    });
  });

  it('refuses a link without a session to a queue that requires them', async () => {
    const name = await sessionQueue();
    expect(await peer.openReceiver({ source: { address: name } })).toMatchObject({
      condition: 'amqp:not-allowed',
    });
  });

  it('refuses a link with a session to a queue that requires none', async () => {
    const { name } = await target.newQueue();
    expect(await peer.openReceiver(filtered(name, 'a'))).toMatchObject({
      condition: 'amqp:not-allowed',
    });
  });

  it('says that an absent queue is absent', async () => {
    expect(await peer.openReceiver(filtered('absent', 'a'))).toMatchObject({
      condition: 'amqp:not-found',
    });
  });

  it('closes the link of a session whose lock expires', async () => {
    const { name } = await target.newQueue({
      requiresSession: true,
      lockDuration: target.shortLock.duration,
    });
    const link = opened(await peer.openReceiver(filtered(name, 'a')));
    await waitFor('the link to be closed', () => (link.error === undefined ? undefined : true));
    expect(link.error).toMatchObject({ condition: 'com.microsoft:session-lock-lost' });
  });
});

describe('the management node with plain AMQP', () => {
  const ask = async (name: string, operation: string, body: unknown) => {
    const answer = await peer.request(`${name}/${MANAGEMENT}`, {
      properties: { operation: `com.microsoft:${operation}` },
      body,
    });
    const properties = answer['application_properties'] as Record<string, unknown>;
    return { ...properties, body: answer['body'] as unknown };
  };
  const { types } = rhea;
  const deletion = (count: number, before = Date.now() + 60_000) => ({
    'message-count': types.wrap_int(count),
    'enqueued-time-utc': types.wrap_timestamp(before),
  });

  it('answers an unknown operation with 501', async () => {
    const { name } = await queueWith();
    expect(await ask(name, 'no-such-thing', {})).toMatchObject({ statusCode: 501 });
  });

  it('answers a body that lacks a field with 400', async () => {
    const { name } = await queueWith();
    expect(await ask(name, 'peek-message', {})).toMatchObject({ statusCode: 400 });
  });

  it('answers a peek of an empty queue with 204', async () => {
    const { name } = await queueWith();
    const body = {
      'from-sequence-number': types.wrap_long(1),
      'message-count': types.wrap_int(1),
    };
    expect(await ask(name, 'peek-message', body)).toMatchObject({ statusCode: 204 });
  });

  it('deletes a batch, oldest first, and tells how many', async () => {
    const { name } = await queueWith('a', 'b', 'c');
    expect(await ask(name, 'batch-delete-messages', deletion(2))).toMatchObject({
      statusCode: 200,
      body: { 'message-count': 2 },
    });
    expect((await firstOf(name)).message?.['body']).toBe('c');
  });

  it('deletes no message that somebody holds', async () => {
    const { name } = await queueWith('held', 'free');
    await firstOf(name);
    expect(await ask(name, 'batch-delete-messages', deletion(10))).toMatchObject({
      body: { 'message-count': 1 },
    });
  });

  it('deletes no message that was enqueued later', async () => {
    const { name } = await queueWith('a');
    const answer = await ask(name, 'batch-delete-messages', deletion(10, Date.now() - 60_000));
    expect(answer).toMatchObject({ statusCode: 204 });
    expect((await firstOf(name)).message?.['body']).toBe('a');
  });

  it('deletes no more than 4,000 at once', async () => {
    const { name } = await queueWith();
    expect(await ask(name, 'batch-delete-messages', deletion(4_001))).toMatchObject({
      statusCode: 400,
    });
  });

  it('deletes from the dead-letter queue', async () => {
    const { name } = await queueWith('a');
    (await firstOf(name)).delivery?.reject();
    await waitFor('a dead letter', async () =>
      (await runtime(name)).deadLetterMessageCount === 1 ? true : undefined,
    );
    const path = `${name}/$deadletterqueue`;
    expect(await ask(path, 'batch-delete-messages', deletion(5))).toMatchObject({
      body: { 'message-count': 1 },
    });
  });

  it('lists the sessions that have messages', async () => {
    const { name, sender } = await target.newQueue({ requiresSession: true });
    await sender.sendMessages([
      { body: 1, sessionId: 'a' },
      { body: 2, sessionId: 'b' },
    ]);
    const body = {
      skip: types.wrap_int(0),
      top: types.wrap_int(10),
      'last-updated-time': types.wrap_timestamp(Date.parse('9999-12-31T23:59:59.999Z')),
    };
    expect(await ask(name, 'get-message-sessions', body)).toMatchObject({
      body: { 'sessions-ids': ['a', 'b'] },
    });
  });

  it('lists the sessions whose state was set after a time', async () => {
    const { name, sender } = await target.newQueue({ requiresSession: true });
    await sender.sendMessages({ body: 1, sessionId: 'untouched' });
    const session = await target.client.acceptSession(name, 'set');
    await session.setSessionState('state');
    await session.close();
    const list = (timeMs: number) =>
      ask(name, 'get-message-sessions', {
        skip: types.wrap_int(0),
        top: types.wrap_int(10),
        'last-updated-time': types.wrap_timestamp(timeMs),
      });
    expect(await list(Date.now() - 60_000)).toMatchObject({ body: { 'sessions-ids': ['set'] } });
    expect(await list(Date.now() + 3_600_000)).toMatchObject({
      statusCode: 204,
    });
  });
});
