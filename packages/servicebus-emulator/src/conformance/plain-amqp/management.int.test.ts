import { once } from 'node:events';
import rhea, { type EventContext, type Message } from 'rhea';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../conformance-target.ts';
import { usePlainAmqp } from './use-plain-amqp.ts';

const { firstOf, peer, queueWith, target } = usePlainAmqp();

const MANAGEMENT = '$management';

const runtime = (name: string) => target.admin.getQueueRuntimeProperties(name);

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

  it('H1, H2: answers without reply-to on the link from the same node, with codes of type int', async () => {
    const { name } = await queueWith();
    const nodes = ['$cbs', `${name}/${MANAGEMENT}`];
    const answers: Message[] = [];
    const links = nodes.map((address) =>
      peer.connection.open_receiver({ source: { address }, autoaccept: true }),
    );
    for (const link of links) {
      link.on('message', ({ message }: EventContext) => message && answers.push(message));
    }
    for (const [index, address] of nodes.entries()) {
      const sender = peer.connection.open_sender({ target: { address } });
      await once(sender, 'sendable');
      const properties = { operation: 'no-such-thing', type: 't', name: 'n' };
      sender.send({ message_id: `${index}`, application_properties: properties, body: '' });
    }
    await waitFor('both answers', () => (answers.length === 2 ? true : undefined));
    const codes = answers.map(({ application_properties: answered, correlation_id: id }) => [
      id,
      answered?.['status-code'] ?? answered?.['statusCode'],
    ]);
    expect(codes.sort(([a], [b]) => Number(a) - Number(b))).toEqual([
      ['0', 400],
      ['1', 501],
    ]);
    for (const link of links) link.close();
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
