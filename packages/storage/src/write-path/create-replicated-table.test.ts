import { customerKind } from '@tandem/core/customers';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRowKey, encodeRowKey } from '../rows/row-key.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { createTwoRegions } from '../testing/two-regions.ts';

const REFUSED = { code: 'ENTITY_INVALID' };

describe('F1: an id that no key can hold', () => {
  test.each(['\udc00', '\udfff', 'a\ud800', ''])('is refused by every method: %j', async (id) => {
    const { east } = await createTwoRegions(deviceKind);
    const { table } = east;
    await expect(table.put(id, { label: 'one' })).rejects.toMatchObject(REFUSED);
    await expect(table.patch(id, { label: 'one' })).rejects.toMatchObject(REFUSED);
    await expect(table.remove(id)).rejects.toMatchObject(REFUSED);
    await expect(table.forget(id)).rejects.toMatchObject(REFUSED);
    await expect(table.get(id)).rejects.toMatchObject(REFUSED);
    expect((await table.list(10)).records).toEqual([]);
  });

  test('nor is an id taken here that the peers would refuse', async () => {
    const { east } = await createTwoRegions(customerKind);
    const upper = '0199A1B2-C3D4-4E5F-8A9B-0123456789AB';
    await expect(east.table.put(upper, { email: 'a@b' })).rejects.toMatchObject(REFUSED);
  });

  test('a text that is not well-formed is written to no field', async () => {
    const { east } = await createTwoRegions(deviceKind);
    await expect(east.table.put('a', { label: 'x\udc00' })).rejects.toMatchObject(REFUSED);
    expect(await east.table.get('a')).toBeUndefined();
  });

  test('has no row key, and every other id has one of its own', () => {
    expect(() => encodeRowKey('a\udc00')).toThrow(expect.objectContaining(REFUSED));
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (id) => {
        expect(decodeRowKey(encodeRowKey(id))).toBe(id);
      }),
    );
  });
});

describe('F2, F3: what a field cannot hold', () => {
  test('is neither created nor patched', async () => {
    const { east, drive } = await createTwoRegions(customerKind);
    const id = '0199a1b2-c3d4-4e5f-8a9b-0123456789ab';
    const { table } = east;
    await expect(table.put(id, { email: 'no address' })).rejects.toMatchObject(REFUSED);
    await drive(table.put(id, { email: 'ada@example.com' }));
    const phoneNumber = '1'.repeat(51);
    await expect(table.patch(id, { phoneNumber })).rejects.toMatchObject(REFUSED);
    expect((await table.get(id))?.entity).toMatchObject({ phoneNumber: null });
    const devices = await createTwoRegions(deviceKind);
    const seenAt = '2026-02-30T00:00:00Z';
    await expect(devices.east.table.put('a', { seenAt })).rejects.toMatchObject(REFUSED);
  });
});
