import { defineEntityKind, type EntityState, edm, formatStamp } from '@tandem/core';
import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { toEntityProperties } from './rows/entity-row.ts';
import { idInBucket } from './testing/memory-region.ts';
import { verifyTwo } from './testing/recovery-regions.ts';
import { createTwoRegions } from './testing/two-regions.ts';

const NAMES = Array.from({ length: 14 }, (_, index) => `text${index}`);
type Notes = Partial<Record<string, string | null>>;

const notesKind = defineEntityKind({
  name: 'Notes',
  schema: Type.Object(Object.fromEntries(NAMES.map((name) => [name, edm.string()]))),
});

const ID = idInBucket('note', '00');
const [FIRST, SECOND] = [NAMES.slice(0, 7), NAMES.slice(7)];
const allAs = (names: readonly string[], value: string | null): Notes =>
  Object.fromEntries(names.map((name) => [name, value]));
/** A field that may take an equal share, and the most that can be written of it. */
const WRITTEN_MAX = notesKind.budgets.get('text0')!.writtenBytesMax - 20;

describe('A12: what two regions write at once', () => {
  test('is refused by name where a field is beyond its share', async () => {
    const regions = await createTwoRegions(notesKind);
    const { table } = regions.east;
    await table.put(ID, {});
    const put = regions.drive(table.patch(ID, allAs(FIRST, 'x'.repeat(30_000))));
    await expect(put).rejects.toMatchObject({ code: 'TABLE_LIMIT_EXCEEDED' });
    await expect(put).rejects.toThrow(/field "text0" takes more than \d+ bytes.*maxLength/);
  });

  test('can be written, sent and deleted, however large it is together', async () => {
    const regions = await createTwoRegions(notesKind);
    const { east, west, drive } = regions;
    await east.table.put(ID, {});
    await regions.settle();
    const text = 'x'.repeat(WRITTEN_MAX);
    await drive(east.table.patch(ID, allAs(FIRST, text)));
    await drive(west.table.patch(ID, allAs(SECOND, text)));
    await regions.settle();
    for (const name of NAMES) expect((await east.table.get(ID))?.entity[name]).toBe(text);
    await drive(east.table.patch(ID, { text0: 'y'.repeat(WRITTEN_MAX) }));
    await drive(west.table.patch(ID, { text13: null }));
    await regions.settle();
    expect((await west.table.get(ID))?.entity).toMatchObject({
      text0: 'y'.repeat(WRITTEN_MAX),
      text13: null,
    });
    await drive(east.table.remove(ID));
    await regions.settle();
    expect(await west.table.get(ID)).toBeUndefined();
    expect(await verifyTwo(regions, notesKind)).toMatchObject({ isEqual: true });
  });
});

describe('A12: an entity that is too large already', () => {
  async function withOldRow() {
    const regions = await createTwoRegions(notesKind);
    const stamp = formatStamp({
      timeMs: regions.clock.nowMs(),
      counter: 0,
      region: 'west',
      writer: 'w1',
    });
    const value = { type: 'String', value: 'x'.repeat(30_000) } as const;
    const state: EntityState = {
      fields: new Map(NAMES.map((name) => [name, { stamp, value }])),
      alive: stamp,
      deleted: undefined,
      vector: new Map([['west', stamp]]),
    };
    const properties = toEntityProperties({ state, referenceId: undefined });
    const operations = [{ kind: 'insert' as const, rowKey: ID, properties }];
    for (const { store } of [regions.east, regions.west]) {
      await store.commit({ table: notesKind.name, partitionKey: '00', operations });
    }
    return regions;
  }

  test('says which field is too large, and is made smaller', async () => {
    const regions = await withOldRow();
    const { east, west, drive } = regions;
    await expect(drive(east.table.patch(ID, { text0: 'short' }))).rejects.toThrow(/field "text1"/);
    await drive(east.table.patch(ID, { ...allAs(NAMES, null), text0: 'short' }));
    await regions.settle();
    expect((await west.table.get(ID))?.entity).toMatchObject({ text0: 'short', text1: null });
    expect(await verifyTwo(regions, notesKind)).toMatchObject({ isEqual: true });
  });

  test('is deleted, and keeps none of its values then', async () => {
    const regions = await withOldRow();
    const { east, west, drive } = regions;
    expect((await drive(east.table.remove(ID))).kind).toBe('deleted');
    await regions.settle();
    expect(await west.table.get(ID)).toBeUndefined();
    expect(await verifyTwo(regions, notesKind)).toMatchObject({ isEqual: true });
  });
});
