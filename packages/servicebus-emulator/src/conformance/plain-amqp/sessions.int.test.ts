import rhea from 'rhea';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../conformance-target.ts';
import { opened, usePlainAmqp } from './use-plain-amqp.ts';

const { peer, target } = usePlainAmqp();

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

  it('H9: closes the link that receives and deletes, too, and keeps what comes after', async () => {
    const { name, sender } = await target.newQueue({
      requiresSession: true,
      lockDuration: 'PT5S',
    });
    const link = opened(await peer.openReceiver({ ...filtered(name, 'a'), snd_settle_mode: 1 }));
    link.add_credit(1);
    await waitFor('the link to be closed', () => (link.error === undefined ? undefined : true));
    expect(link.error).toMatchObject({ condition: 'com.microsoft:session-lock-lost' });
    await sender.sendMessages({ body: 'late', sessionId: 'a' });
    const next = await target.client.acceptSession(name, 'a');
    expect((await next.receiveMessages(1))[0]?.body).toBe('late');
    await next.close();
  });

  it('closes the link of a session whose lock expires', async () => {
    const { name } = await target.newQueue({
      requiresSession: true,
      lockDuration: 'PT5S',
    });
    const link = opened(await peer.openReceiver(filtered(name, 'a')));
    await waitFor('the link to be closed', () => (link.error === undefined ? undefined : true));
    expect(link.error).toMatchObject({ condition: 'com.microsoft:session-lock-lost' });
  });
});
