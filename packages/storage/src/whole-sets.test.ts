import {
  type Change,
  type ChangeSet,
  decodeChangeSet,
  encodeChangeSet,
  formatStamp,
  type Stamp,
  WHOLE_WIRE_VERSION,
} from '@tandem/core';
import { beforeEach, describe, expect, test } from 'vitest';
import { deviceKind } from './testing/device-kind.ts';
import { idInBucket } from './testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from './testing/two-regions.ts';

const A = idInBucket('a', '00');
const B = idInBucket('b', '00');
const C = idInBucket('c', '00');
const YEAR_MS = 365 * 24 * 3_600_000;

let regions: TwoRegions<typeof deviceKind>;

beforeEach(async () => {
  regions = await createTwoRegions(deviceKind);
});

function stampAt(timeMs: number): Stamp {
  return formatStamp({ timeMs, counter: 0, region: 'west', writer: 'other' });
}

function changeOf(entityId: string, stamp: Stamp, fields: Change['state']['fields']): Change {
  const state = { fields, alive: stamp, deleted: undefined, vector: new Map([['west', stamp]]) };
  return { entityId, operation: 'replace', state };
}

function labelled(entityId: string, stamp: Stamp, value = 'theirs'): Change {
  return changeOf(
    entityId,
    stamp,
    new Map([['label', { stamp, value: { type: 'String', value } }]]),
  );
}

function setOf(stamp: Stamp, changes: readonly Change[], whole: boolean): ChangeSet {
  const set = { entityKind: deviceKind.name, bucket: '00', stamp, changes };
  return whole ? { ...set, whole } : set;
}

async function receive(...sets: readonly ChangeSet[]): Promise<readonly (string | undefined)[]> {
  const messages = sets.map((set) => ({
    messageId: `sent ${set.stamp}`,
    subject: 'change-set' as const,
    body: encodeChangeSet(set),
  }));
  await regions.bus.publisherFor('east', 'east').publish(messages);
  await regions.settle();
  return regions.bus.deadLettersOf('east').map(({ reason }) => reason);
}

async function archivedStamps(): Promise<Stamp[]> {
  const stamps: Stamp[] = [];
  const span = { entityKind: deviceKind.name, bucket: '00' };
  for await (const set of regions.east.archive.read(span)) stamps.push(set.stamp);
  return stamps;
}

async function labelsIn(): Promise<(string | null | undefined)[]> {
  const found: (string | null | undefined)[] = [];
  for (const id of [A, B, C]) {
    found.push((await regions.drive(regions.east.table.get(id)))?.entity.label);
  }
  return found;
}

describe('I20: a whole set that arrives', () => {
  test('with one change that nobody takes is refused whole; of another set the rest is applied', async () => {
    const stamp = stampAt(regions.clock.nowMs());
    const bad = changeOf(
      B,
      stamp,
      new Map([['label', { stamp, value: { type: 'Int32', value: 1 } }]]),
    );
    const changes = [labelled(A, stamp), bad, labelled(C, stamp)];
    expect(await receive(setOf(stamp, changes, true))).toEqual(['ENTITY_INVALID']);
    expect(await labelsIn()).toEqual([undefined, undefined, undefined]);
    expect(await archivedStamps()).toEqual([]);
    const [letter] = regions.bus.deadLettersOf('east');
    expect(letter?.description).toContain('whole or not at all');
    await receive(setOf(stamp, changes, false));
    expect(await labelsIn()).toEqual(['theirs', undefined, 'theirs']);
  });

  test('with one change older than all tombstones is refused whole, and is not archived', async () => {
    const now = stampAt(regions.clock.nowMs());
    await receive(setOf(now, [labelled(A, now, 'mine')], false));
    const before = await archivedStamps();
    // The row is from that time too: one that was made since would take nothing of it.
    await regions.clock.advance(YEAR_MS);
    const old = stampAt(regions.clock.nowMs() - YEAR_MS);
    const changes = [
      changeOf(A, old, new Map([['restarts', { stamp: old, value: { type: 'Int32', value: 3 } }]])),
      labelled(B, old),
    ];
    expect(await receive(setOf(old, changes, true))).toEqual(['CHANGE_TOO_OLD']);
    expect((await regions.east.table.get(A))?.entity.restarts).not.toBe(3);
    expect(await archivedStamps()).toEqual(before);
    await receive(setOf(old, changes, false));
    expect((await regions.east.table.get(A))?.entity.restarts).toBe(3);
    expect(await archivedStamps()).toEqual([...before, old]);
  });

  test('does not come back in parts with a set beside it that only it made possible', async () => {
    await regions.drive(regions.east.table.put(A, { label: 'mine' }));
    await regions.settle();
    const now = regions.clock.nowMs();
    const [first, second] = [stampAt(now - YEAR_MS), stampAt(now - YEAR_MS + 1)];
    const fields = new Map([
      ['restarts', { stamp: second, value: { type: 'Int32', value: 3 } }],
    ] as const);
    await receive(
      setOf(first, [labelled(A, first), labelled(B, first)], true),
      setOf(second, [changeOf(A, second, fields), labelled(B, second)], true),
    );
    expect(await labelsIn()).toEqual(['mine', undefined, undefined]);
    expect((await regions.east.table.get(A))?.entity.restarts).toBeNull();
  });

  test('says so in bytes that an older build sets aside', () => {
    const stamp = stampAt(1);
    const set = setOf(stamp, [labelled(A, stamp), labelled(B, stamp)], true);
    const text = new TextDecoder().decode(encodeChangeSet(set));
    expect(JSON.parse(text)).toMatchObject({ wire: WHOLE_WIRE_VERSION, whole: true });
    expect(decodeChangeSet(encodeChangeSet(set))).toEqual(set);
    const single = setOf(stamp, [labelled(A, stamp)], false);
    expect(new TextDecoder().decode(encodeChangeSet(single))).toContain('"wire":1');
    // What an older build wrote there by chance says nothing.
    const old = text.replace(`"wire":${WHOLE_WIRE_VERSION}`, '"wire":1');
    expect(decodeChangeSet(new TextEncoder().encode(old)).whole).toBeUndefined();
  });
});
