import type { EventContext, Receiver } from 'rhea';
import { describe, expect, it } from 'vitest';
import { reorderLockToken } from '../../message/sections.ts';
import { waitFor } from '../conformance-target.ts';
import { PRESETTLED, take, usePlainAmqp } from './use-plain-amqp.ts';

const { firstOf, openReceiver, peer, queueWith, target } = usePlainAmqp();

/** Uses up the credit or has it taken back, as a client does that stops to receive. */
async function drain({ link }: { link: Receiver }): Promise<void> {
  const drained = new Promise<void>((resolve) => link.once('receiver_drained', () => resolve()));
  link.drain = true;
  link.add_credit(1);
  await drained;
}

const annotationsOf = ({ message }: EventContext) =>
  (message?.['message_annotations'] ?? {}) as Record<string, unknown>;

const runtime = (name: string) => target.admin.getQueueRuntimeProperties(name);

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

  it('H3: tells the lock token in a delivery annotation, too', async () => {
    const { name } = await queueWith('a');
    const { message, delivery } = await firstOf(name);
    const annotations = message?.['delivery_annotations'] as Record<string, unknown>;
    const token = Buffer.from(annotations['x-opt-lock-token'] as Buffer);
    expect(reorderLockToken(token)).toEqual(delivery?.tag);
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
