import {
  type ChangeSet,
  encodeChangeSet,
  type OutboxEntry,
  replayInto,
  stampTimeMs,
  TerminalError,
  TransientError,
  toEntity,
} from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { createTableArchiveKeeper } from './recovery/archive-keeper.ts';
import { createTableReplica } from './tables/table-replica.ts';
import { deviceKind } from './testing/device-kind.ts';
import { idInBucket, MEMORY_BUCKET_COUNT, readRows } from './testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from './testing/two-regions.ts';

/**
 * The faults of the pattern's first form, one block each, by the names of the table in
 * docs/guarantees.md. Two of its rows are tested where the code is: expiry in packages/messaging,
 * health in apps/customer-api.
 */
type Regions = TwoRegions<typeof deviceKind>;

const DOWN = new TransientError('TABLE_UNAVAILABLE', 'The store is down.');

async function archived(regions: Regions, region: 'east' | 'west'): Promise<ChangeSet[]> {
  const { archive, outbox } = regions[region];
  const sets: ChangeSet[] = [];
  for (const bucket of outbox.buckets) {
    for await (const set of archive.read({ entityKind: deviceKind.name, bucket })) sets.push(set);
  }
  return sets;
}

async function labelIn(regions: Regions, region: 'east' | 'west', id: string): Promise<unknown> {
  const record = await regions[region].table.get(id);
  return record?.entity.label;
}

function messageOf({ set, encoded }: Pick<OutboxEntry, 'set' | 'encoded'>): {
  messageId: string;
  subject: 'change-set';
  body: Uint8Array;
} {
  return { messageId: set.stamp, subject: 'change-set', body: encoded };
}

describe('a crash between steps 1, 2 and 3 loses the archive record or the message', () => {
  test('I1: a crash after the first transaction: what it wrote is archived and sent', async () => {
    const regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    const { table, store } = regions.east;
    let commits = 0;
    store.beforeCommit(() => {
      commits += 1;
      if (commits > 1) throw DOWN;
    });
    const written = table.put('a', { label: 'one' }).catch(() => undefined);
    await regions.drive(written);
    store.beforeCommit(() => undefined);
    await regions.settle();
    expect(await labelIn(regions, 'east', 'a')).toBe('one');
    expect(await archived(regions, 'east')).toHaveLength(1);
    expect(await labelIn(regions, 'west', 'a')).toBe('one');
  });

  test('I1: a crash right after the commit: the sweep archives and sends', async () => {
    const regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    await regions.east.table.put('a', { label: 'one' });
    expect(await archived(regions, 'east')).toEqual([]);
    await regions.settle();
    expect(await archived(regions, 'east')).toHaveLength(1);
    expect(await labelIn(regions, 'west', 'a')).toBe('one');
  });

  test('I1: a crash after the archive: the sweep archives the same row and sends', async () => {
    const regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    await regions.east.table.put('a', { label: 'one' });
    await regions.east.archive.append(regions.east.committed);
    await regions.settle();
    expect(await archived(regions, 'east')).toHaveLength(1);
    expect(await labelIn(regions, 'west', 'a')).toBe('one');
  });

  test('I3: a crash after the send: it is sent twice and applied once', async () => {
    const regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    await regions.east.table.put('a', { label: 'one' });
    regions.bus.loseNextAnswer('west');
    await regions.settle();
    expect(await archived(regions, 'west')).toHaveLength(1);
    expect(await labelIn(regions, 'west', 'a')).toBe('one');
    expect(regions.bus.deadLettersOf('west')).toEqual([]);
  });
});

describe('the message is sent inline to the other region: when it is down, local writes fail', () => {
  test('I6: writes go on while the peer is down, and arrive when it is back', async () => {
    const regions = await createTwoRegions(deviceKind);
    regions.bus.setDown('west', true);
    for (const id of ['a', 'b', 'c']) {
      await expect(regions.east.table.put(id, { label: id })).resolves.toMatchObject({
        kind: 'created',
      });
    }
    await regions.clock.advance(60_000);
    expect(await labelIn(regions, 'west', 'a')).toBeUndefined();
    regions.bus.setDown('west', false);
    await regions.settle();
    for (const id of ['a', 'b', 'c']) expect(await labelIn(regions, 'west', id)).toBe(id);
  });
});

describe('archive keys are random GUIDs: not ordered, not replayable', () => {
  test('I5: the archive is in the order of the writes, and its replay is the live table', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west } = regions;
    for (let turn = 0; turn < 20; turn += 1) {
      const region = turn % 3 === 0 ? west : east;
      await region.table.put(`d${turn % 5}`, { label: `turn ${turn}` });
      await regions.settle();
    }
    await east.table.remove('d1');
    await regions.settle();
    const history = (await archived(regions, 'east')).filter((set) =>
      set.changes.some(({ entityId }) => entityId === 'd0'),
    );
    const labels = history.map((set) => toEntity(deviceKind, set.changes[0]!.state).label);
    expect(labels).toEqual(['turn 0', 'turn 5', 'turn 10', 'turn 15']);

    await east.store.createTable('Replayed');
    const into = createTableReplica({
      store: east.store,
      kind: deviceKind,
      bucketCount: MEMORY_BUCKET_COUNT,
      table: 'Replayed',
    });
    const archive = createTableArchiveKeeper(east);
    const { outbox, region } = east;
    await replayInto({ archive, buckets: outbox.buckets, into, region, span: {} });
    const live = await readRows(east, deviceKind.name);
    expect(live).toHaveLength(5);
    expect(await readRows(east, 'Replayed')).toEqual(live);
  });
});

describe('blind upsert at the receiver', () => {
  test('I3: an old message does not overwrite a newer row', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, bus } = regions;
    await east.table.put('a', { label: 'old' });
    await east.table.put('a', { label: 'new' });
    await regions.settle();
    const [old] = east.committed;
    await bus.publisherFor('west', 'west').publish([messageOf(old!)]);
    await regions.settle();
    expect(await labelIn(regions, 'west', 'a')).toBe('new');
  });

  test('I4: an old message does not revive a deleted row', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, bus } = regions;
    await east.table.put('a', { label: 'old' });
    await east.table.remove('a');
    await regions.settle();
    await bus.publisherFor('west', 'west').publish([messageOf(east.committed[0]!)]);
    await regions.settle();
    expect(await labelIn(regions, 'west', 'a')).toBeUndefined();
  });

  test('a delete that overtakes the create it follows still deletes', async () => {
    const regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    const { east, bus } = regions;
    await east.table.put('a', { label: 'old' });
    await east.table.remove('a');
    const messages = east.committed.toReversed().map(messageOf);
    await bus.publisherFor('west', 'west').publish(messages);
    await regions.settle();
    expect(await labelIn(regions, 'west', 'a')).toBeUndefined();
  });
});

describe('abandon on any error: ten quick tries, then dead-lettered during a storage outage', () => {
  test('I1: an outage holds the batch and burns no delivery count', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west, bus, clock } = regions;
    await east.table.put('a', { label: 'one' });
    west.store.setOutage(DOWN);
    const receiving = west.replicator.receiveOnce(new AbortController().signal);
    await clock.advance(10 * 60_000);
    expect(bus.deadLettersOf('west')).toEqual([]);
    west.store.setOutage(undefined);
    await regions.drive(receiving);
    expect(await labelIn(regions, 'west', 'a')).toBe('one');
    expect(bus.deadLettersOf('west')).toEqual([]);
  });

  test.each([
    new TerminalError('TABLE_FORBIDDEN', 'The key is being rotated.'),
    new TerminalError('TABLE_MISSING', 'The table was dropped.'),
  ])('I1: what an operator must mend is an outage too: $code', async (failure) => {
    const regions = await createTwoRegions(deviceKind);
    const { east, west, bus, clock } = regions;
    await east.table.put('a', { label: 'one' });
    west.store.setOutage(failure);
    const receiving = west.replicator.receiveOnce(new AbortController().signal);
    await clock.advance(60_000);
    west.store.setOutage(undefined);
    await regions.drive(receiving);
    expect(await labelIn(regions, 'west', 'a')).toBe('one');
    expect(bus.deadLettersOf('west')).toEqual([]);
  });

  test('I10: only a terminal error dead-letters, with its reason, and the rest goes on', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, bus } = regions;
    const publisher = bus.publisherFor('west', 'west');
    const body = new TextEncoder().encode('no change at all');
    await publisher.publish([{ messageId: 'poison', subject: 'change-set', body }]);
    await east.table.put('a', { label: 'one' });
    const set = { ...east.committed[0]!.set, entityKind: 'Unheard' };
    await publisher.publish([messageOf({ set, encoded: encodeChangeSet(set) })]);
    await regions.settle();
    expect(await labelIn(regions, 'west', 'a')).toBe('one');
    expect(bus.deadLettersOf('west').map(({ reason }) => reason)).toEqual([
      'CHANGE_UNDECODABLE',
      'ENTITY_KIND_UNKNOWN',
    ]);
  });
});

describe('I10: a well-formed change that no entity can be in', () => {
  test('is dead-lettered by name, and what stands beside it in its set is applied', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, bus } = regions;
    await east.table.put('a', { label: 'one' });
    const [{ set }] = east.committed as [OutboxEntry];
    const [change] = set.changes as [ChangeSet['changes'][0]];
    const label = { value: { type: 'Int32', value: 7 }, stamp: set.stamp } as const;
    const state = { ...change.state, fields: new Map([['label', label]]) };
    const [bad, good] = [idInBucket('b', set.bucket), idInBucket('c', set.bucket)];
    const changes = [
      { ...change, entityId: bad, state },
      { ...change, entityId: good },
    ];
    const forged = { ...set, changes };
    const encoded = encodeChangeSet(forged);
    await bus.publisherFor('west', 'west').publish([messageOf({ set: forged, encoded })]);
    await regions.settle();
    expect(await labelIn(regions, 'west', good)).toBe('one');
    expect(await regions.west.table.get(bad)).toBeUndefined();
    const [letter, ...others] = bus.deadLettersOf('west');
    expect(others).toEqual([]);
    expect(letter).toMatchObject({ reason: 'ENTITY_INVALID' });
    expect(letter?.description).toContain(`"${bad}": its field "label" holds an Edm.Int32`);
  });
});

describe('the API is not told types; Int64, dates, Guid and binary come back as strings', () => {
  test('I12: every Edm type arrives in the other region as it was written', async () => {
    const regions = await createTwoRegions(deviceKind);
    const device = {
      label: 'ü 漢 \u{1f600}',
      isOnline: false,
      restarts: -(2 ** 31),
      bytesSent: 2n ** 63n - 1n,
      temperature: 21.5,
      seenAt: '2026-01-02T03:04:05.1234567Z',
      ownerId: '00b479c9-f61f-451a-86d2-ee8cc047c181',
      firmware: Uint8Array.from({ length: 256 }, (_, byte) => byte),
    };
    await regions.east.table.put('a', device);
    await regions.settle();
    expect((await regions.west.table.get('a'))?.entity).toEqual(device);
  });
});

describe('one partition key for all customers', () => {
  test('entities spread over every bucket', async () => {
    const { east } = await createTwoRegions(deviceKind);
    for (let n = 0; n < 100; n += 1) await east.table.put(`device-${n}`, { label: 'x' });
    const rows = await readRows(east, deviceKind.name);
    const buckets = Map.groupBy(rows, ({ key }) => key.slice(0, 2));
    expect(buckets.size).toBe(MEMORY_BUCKET_COUNT);
    for (const own of buckets.values()) expect(own.length).toBeGreaterThan(10);
  });
});

describe('FindAll returns everything', () => {
  test('pages neither repeat nor miss an entity, and never show an outbox row', async () => {
    const { east } = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    const ids = Array.from({ length: 57 }, (_, n) => `device-${n}`);
    for (const id of ids) await east.table.put(id, { label: 'x' });
    for (const id of ids.slice(0, 7)) await east.table.remove(id);
    const listed: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await east.table.list(10, cursor);
      expect(page.records.length).toBeLessThanOrEqual(10);
      listed.push(...page.records.map(({ entityId }) => entityId));
      ({ cursor } = page);
    } while (cursor !== undefined);
    expect(listed.toSorted()).toEqual(ids.slice(7).toSorted());
  });
});

describe('messages expire after 10 minutes into a dead-letter queue that nobody reads', () => {
  test('an outage of a week loses nothing', async () => {
    const regions = await createTwoRegions(deviceKind);
    await regions.east.table.put('a', { label: 'one' });
    const [entry] = regions.east.committed;
    await regions.clock.advance(7 * 24 * 3_600_000);
    await regions.settle();
    expect(await labelIn(regions, 'west', 'a')).toBe('one');
    expect(stampTimeMs(entry!.set.stamp)).toBeLessThan(regions.clock.nowMs() - 6 * 24 * 3_600_000);
  });
});
