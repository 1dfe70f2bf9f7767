import { createPeerLink, createRelay, createRelayQueue, finishAtOnce } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createSeededRandomness } from '@tandem/core/memory';
import { type Acknowledgements, createAcknowledgements } from '@tandem/region/testing';
import { createSystemClock } from '@tandem/service-kit';
import { createMemoryRegions, type MemoryRegion } from '@tandem/storage/testing';
import type { FastifyInstance } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CustomerKind } from '../customers/customer-service.ts';
import { createAppOver } from '../testing/two-region-apps.ts';

const ID = '5c1d8f8e-0000-4000-8000-00000000ada1';
const ADA = { email: 'ada@example.com' };

/** East's app of three regions, which relays what it commits as the service does. */
async function createEast(): Promise<{
  readonly app: FastifyInstance;
  readonly all: Awaited<ReturnType<typeof createMemoryRegions<CustomerKind>>>;
  readonly down: (peer: string, isDown: boolean) => void;
}> {
  const parts: { acknowledgements?: Acknowledgements; offer?: (entry: never) => void } = {};
  const all = await createMemoryRegions(customerKind, {
    east: {
      relaysAtOnce: false,
      onCommitted(entry) {
        parts.acknowledgements?.committed(entry);
        parts.offer?.(entry as never);
      },
    },
    west: {},
    north: {},
  });
  const east = all.regions[0] as MemoryRegion<CustomerKind>;
  const clock = createSystemClock();
  const links = ['west', 'north'].map((peer) =>
    createPeerLink({
      publisher: all.bus.publisherFor(peer, peer),
      clock,
      randomness: createSeededRandomness(1),
    }),
  );
  const acknowledgements = createAcknowledgements({ clock, links });
  const outboxes = new Map([[customerKind.name, east.outbox]]);
  const queue = createRelayQueue({
    relay: createRelay({ finish: finishAtOnce({ archive: east.archive, outboxes }), links }),
    onSent: (entry, peer, isAccepted) => acknowledgements.sent(entry, peer, isAccepted),
  });
  Object.assign(parts, { acknowledgements, offer: queue.offer.bind(queue) });
  const app = await createAppOver(east, {
    peers: ['west', 'north'],
    wallClock: all.clock,
    acknowledgements,
  });
  onTestFinished(() => app.close());
  return { app, all, down: (peer, isDown) => all.bus.setDown(peer, isDown) };
}

describe('C13: Prefer: ack=queued with three regions', () => {
  let writes = 0;
  /** Each writes something: what changes nothing has gone to the peers already. */
  const put = (app: FastifyInstance, prefer: string) => {
    const payload = { ...ADA, firstName: `Ada ${(writes += 1)}` };
    return app.inject({ method: 'PUT', url: `/customers/${ID}`, payload, headers: { prefer } });
  };

  it('says who has it, and does not wait for a peer that is down', async () => {
    const { app, down } = await createEast();
    const both = await put(app, 'ack=queued, wait=10');
    expect(both.headers).toMatchObject({
      'x-tandem-acknowledged': 'queued',
      'x-tandem-queued-peers': 'north, west',
      'preference-applied': 'ack=queued',
    });
    down('north', true);
    const beganMs = performance.now();
    const one = await put(app, 'ack=queued, wait=10');
    expect(performance.now() - beganMs).toBeLessThan(9_000);
    expect(one.headers).toMatchObject({
      'x-tandem-acknowledged': 'queued',
      'x-tandem-queued-peers': 'west',
    });
    down('west', true);
    const none = await put(app, 'ack=queued; peers=any, wait=10');
    expect(none.headers).toMatchObject({ 'x-tandem-acknowledged': 'local' });
    expect(none.headers).not.toHaveProperty('x-tandem-queued-peers');
    expect(none.headers).not.toHaveProperty('preference-applied');
  });

  it('asks for any one, in a batch too', async () => {
    const { app, down } = await createEast();
    down('west', true);
    const any = await put(app, 'ack=queued; peers=any, wait=10');
    expect(any.headers).toMatchObject({
      'x-tandem-acknowledged': 'queued',
      'x-tandem-queued-peers': 'north',
    });
    const batch = await app.inject({
      method: 'POST',
      url: '/customers/batch',
      headers: { prefer: 'ack=queued; peers=any, wait=10' },
      payload: {
        operations: [{ replace: { customerId: ID, customer: { email: 'b@example.com' } } }],
      },
    });
    expect(batch.json().items).toMatchObject([
      { status: 200, acknowledged: 'queued', queuedPeers: ['north'] },
    ]);
    const unknown = await put(app, 'ack=queued; peers=two');
    expect(unknown.headers).toMatchObject({ 'x-tandem-preference-unknown': 'peers=two' });
  });
});

describe('a receipt with three regions', () => {
  it('I11: is applied where a region says so itself, and pending in the one that lags', async () => {
    const { app, all, down } = await createEast();
    const turns = async (count: number): Promise<void> => {
      for (let turn = 0; turn < count; turn += 1) {
        for (const { region, replicator } of all.regions) {
          await all.clock.advance(10_000);
          await all.drive(replicator.sweepOnce());
          const receiving = replicator.receiveOnce(new AbortController().signal);
          await all.drive(receiving.catch(() => 0));
          if (region !== 'north') await all.drive(replicator.beatOnce());
        }
      }
    };
    down('north', true);
    const written = await app.inject({ method: 'PUT', url: `/customers/${ID}`, payload: ADA });
    const query = { receipt: String(written.headers['x-tandem-receipt']) };
    const ask = async () => (await app.inject({ url: `/customers/${ID}/receipt`, query })).json();
    await turns(5);
    expect(await ask()).toMatchObject({
      appliedEverywhere: false,
      regions: [
        { region: 'east', state: 'applied' },
        { region: 'west', state: 'applied' },
        { region: 'north', state: 'pending' },
      ],
    });
    down('north', false);
    await all.clock.advance(60_000);
    await all.settle();
    expect(await ask()).toMatchObject({ appliedEverywhere: true });
  });
});
