import rhea from 'rhea';
import { describe, expect, it } from 'vitest';
import { sendAndSettle, take, usePlainAmqp } from './use-plain-amqp.ts';

const { firstOf, openReceiver, peer, queueWith } = usePlainAmqp();

const BATCH_FORMAT = 0x8001_3700;

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
    ['H8: a subscription', 'topic/subscriptions/s', 'amqp:not-found'],
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

  it('H8: is refused as absent for a subscription of a topic', async () => {
    expect(
      await peer.openReceiver({ source: { address: 'topic/Subscriptions/one' } }),
    ).toMatchObject({ kind: 'refused', condition: 'amqp:not-found' });
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
