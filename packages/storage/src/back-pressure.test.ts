import { encodeChangeSet, type OutboxEntry, type Transaction } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { deviceKind } from './testing/device-kind.ts';
import { idInBucket } from './testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from './testing/two-regions.ts';

type Regions = TwoRegions<typeof deviceKind>;

const WRITES = 300;
const DAY_MS = 24 * 3_600_000;
/** In UTF-16, as the store counts them, twice what a property may hold. */
const TOO_LONG = 65_536;

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const tooLongIn = ({ bucket }: { readonly bucket: string }): string =>
  idInBucket('too-long', bucket);

/** Messages that west can never apply, made from a good one of east. */
function poisonFrom({ set, encoded }: OutboxEntry) {
  const json = JSON.parse(new TextDecoder().decode(encoded)) as object;
  const [change] = set.changes as [OutboxEntry['set']['changes'][0]];
  const label = {
    value: { type: 'String', value: 'x'.repeat(TOO_LONG) },
    stamp: set.stamp,
  } as const;
  const state = { ...change.state, fields: new Map([['label', label]]) };
  const tooLong = { ...set, changes: [{ ...change, entityId: tooLongIn(set), state }] };
  return new Map([
    ['undecodable', bytesOf('{"no": "change"')],
    ['unknown kind', encodeChangeSet({ ...set, entityKind: 'Unheard' })],
    ['newer wire', bytesOf(JSON.stringify({ ...json, wire: 99, more: true }))],
    ['beyond a limit', encodeChangeSet(tooLong)],
  ]);
}

async function outboxLength({ east }: Regions): Promise<number> {
  let length = 0;
  for (const bucket of east.outbox.buckets) {
    length += (await east.outbox.scan({ bucket, limit: 1_000 })).entries.length;
  }
  return length;
}

describe('I10: what west can never apply', () => {
  test('is each isolated, counted and dead-lettered with its reason, and delays nothing else', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west, bus, drive } = regions;
    await drive(east.table.put('before', { label: 'good' }));
    await regions.settle();
    const publisher = bus.publisherFor('west', 'west');
    for (const [messageId, body] of poisonFrom(east.committed[0]!)) {
      await publisher.publish([{ messageId, subject: 'change-set', body }]);
    }
    await drive(east.table.put('after', { label: 'good' }));

    // One turn of the replicator: nothing is waited out, and nothing comes twice.
    await drive(west.replicator.receiveOnce(new AbortController().signal));
    expect((await west.table.get('after'))?.entity.label).toBe('good');
    expect(await bus.receiverFor('west').countDeadLetters(10)).toBe(4);
    const letters = bus.deadLettersOf('west').map(({ messageId, reason }) => [messageId, reason]);
    expect(new Map(letters as [string, string][])).toEqual(
      new Map([
        ['undecodable', 'CHANGE_UNDECODABLE'],
        ['unknown kind', 'ENTITY_KIND_UNKNOWN'],
        ['newer wire', 'CHANGE_TOO_NEW'],
        ['beyond a limit', 'FIELD_TOO_LARGE'],
      ]),
    );
    expect(await west.table.get(tooLongIn(east.committed[0]!.set))).toBeUndefined();
  });
});

describe('I13: while a peer is down for long', () => {
  test('memory stays flat, the table is the queue, writes cost what they cost, all drains in order', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west, bus, clock, drive } = regions;
    let commits = 0;
    east.store.beforeCommit(({ table }: Transaction) => {
      if (table === deviceKind.name) commits += 1;
    });
    const write = async (prefix: string): Promise<number> => {
      commits = 0;
      for (let index = 0; index < WRITES; index += 1) {
        await drive(east.table.put(`${prefix}-${index}`, { label: prefix }));
        expect(east.relayQueue.length).toBeLessThanOrEqual(WRITES / 10);
      }
      return commits;
    };
    const commitsWhileUp = await write('up');
    await regions.settle();
    bus.setDown('west', true);
    const commitsWhileDown = await write('down');
    expect(commitsWhileDown).toBeLessThanOrEqual(commitsWhileUp);
    await clock.advance(DAY_MS);
    expect(east.relayQueue.length).toBe(0);
    expect(await outboxLength(regions)).toBe(WRITES);

    const arrived: string[] = [];
    west.store.beforeCommit(({ table, partitionKey, operations }) => {
      if (table !== deviceKind.name) return;
      for (const { rowKey } of operations) arrived.push(`${partitionKey}/${rowKey}`);
    });
    bus.setDown('west', false);
    await regions.settle();
    expect(await outboxLength(regions)).toBe(0);
    expect(arrived).toHaveLength(WRITES);
    const sent = east.committed.slice(WRITES).map(({ set }) => set);
    for (const [bucket, own] of Map.groupBy(sent, (set) => set.bucket)) {
      const inOrder = own.flatMap(({ changes }) =>
        changes.map(({ entityId }) => `${bucket}/${entityId}`),
      );
      expect(arrived.filter((key) => key.startsWith(`${bucket}/`))).toEqual(inOrder);
    }
  });
});
