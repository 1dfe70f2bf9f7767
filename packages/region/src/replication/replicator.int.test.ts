import { createServiceBusPublisher, createServiceBusReceiver } from '@tandem/messaging';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type RealRegion, startReplicator, startTwoRealRegions } from '../testing/real-region.ts';
import { until } from '../testing/until.ts';
import { customerId, untilCount, writeCustomers } from '../testing/write-customers.ts';

async function countDeadLetters(region: RealRegion): Promise<number> {
  const receiver = createServiceBusReceiver({
    connection: region.busConnection,
    queue: 'customer',
  });
  try {
    return await receiver.countDeadLetters(100);
  } finally {
    await receiver.close();
  }
}

describe('two regions', () => {
  test('what is written in one arrives in the other, with its place in the archive', async () => {
    const { east, west } = await startTwoRealRegions();
    const [inEast, inWest] = [startReplicator(east), startReplicator(west)];
    await writeCustomers(east, { from: 1, count: 1 });
    const record = await until('the customer in west', () => west.customers.get(customerId(1)));
    expect(record).toMatchObject({ entity: { email: 'c1@x.org' }, origin: 'east' });
    expect(record.referenceId).toMatch(new RegExp(`^Customers-.*/${customerId(1)}$`));
    await until('both are ready', () =>
      [inEast, inWest].every(({ process }) => process.readiness().kind === 'ready'),
    );
    await until('east knows how far west has got', () => {
      const { peers } = inEast.process.status();
      return peers[0]?.lagMs !== null && (peers[0]?.lagMs ?? Infinity) < 5_000;
    });
    expect(inEast.log.of('queue-created')).toMatchObject([{ queue: 'customer' }]);
  });

  test('I10: a message that cannot be read is dead-lettered, and the next is applied', async () => {
    const { east, west } = await startTwoRealRegions();
    const inWest = startReplicator(west);
    await until('the queue of west', () => inWest.process.readiness().kind === 'ready');
    const publisher = createServiceBusPublisher({
      peer: 'west',
      connection: west.busConnection,
      queue: 'customer',
    });
    onTestFinished(() => publisher.close());
    const body = new TextEncoder().encode('{"wire":1,"no":"change set"}');
    await publisher.publish([{ messageId: 'poison-1', subject: 'change-set', body }]);
    startReplicator(east);
    await writeCustomers(east, { from: 1, count: 1 });
    await until('the customer in west', () => west.customers.get(customerId(1)));
    expect(await countDeadLetters(west)).toBe(1);
    expect(inWest.log.of('message-dead-lettered')).toMatchObject([
      { messageId: 'poison-1', reason: 'CHANGE_UNDECODABLE' },
    ]);
  });

  test('the storage of one down and back: all is applied, each message delivered once', async () => {
    // With one delivery allowed, whatever is given back or expires would be dead-lettered.
    const { east, west } = await startTwoRealRegions([
      { name: 'customer', maxDeliveryCount: 1, lockDurationMs: 300_000 },
    ]);
    startReplicator(east);
    const inWest = startReplicator(west);
    await writeCustomers(east, { from: 1, count: 20 });
    await untilCount(west, 20);
    await west.stopStorage();
    await writeCustomers(east, { from: 21, count: 30 });
    await until('the batch is held', () => inWest.log.of('apply-interrupted').length > 0);
    expect(inWest.process.liveness()).toEqual({ kind: 'live' });
    await west.startStorage();
    await untilCount(west, 50);
    expect(await countDeadLetters(west)).toBe(0);
  });

  test('a connection cut while a batch is held: the batch is settled all the same', async () => {
    const { east, west } = await startTwoRealRegions([
      { name: 'customer', maxDeliveryCount: 1, lockDurationMs: 300_000 },
    ]);
    startReplicator(east);
    const inWest = startReplicator(west);
    await until('west is ready', () => inWest.process.readiness().kind === 'ready');
    await west.stopStorage();
    await writeCustomers(east, { from: 1, count: 20 });
    await until('the batch is held', () => inWest.log.of('apply-interrupted').length > 0);
    west.dropConnections();
    await west.startStorage();
    await untilCount(west, 20);
    await until('west has passed what east has sent', () => {
      const lagMs = inWest.process.status().peers[0]?.lagMs ?? null;
      return lagMs !== null && lagMs < 5_000;
    });
    expect(await countDeadLetters(west)).toBe(0);
  });

  test('I6: the broker of one down: the other writes on, and delivers when it is back', async () => {
    const { east, west } = await startTwoRealRegions();
    const inEast = startReplicator(east);
    const inWest = startReplicator(west);
    await writeCustomers(east, { from: 1, count: 5 });
    await untilCount(west, 5);
    await west.stopBroker();
    await writeCustomers(east, { from: 6, count: 20 });
    await until('east notices', () => inEast.log.of('peer-down').length > 0);
    await until('west notices', () => inWest.process.status().queue.reachable === false);
    expect(inEast.process.status().peers).toMatchObject([{ peer: 'west', reachable: false }]);
    await writeCustomers(west, { from: 100, count: 5 });
    await untilCount(east, 30);
    await west.startBroker();
    await untilCount(west, 30);
    await until('east sees it back', () => inEast.log.of('peer-up').length > 0);
    expect(await countDeadLetters(west)).toBe(0);
  });
});
