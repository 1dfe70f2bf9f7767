import {
  decodeChangeSet,
  PACK_WIRE_VERSION,
  TerminalError,
  unpackChangeSets,
  WIRE_VERSION,
} from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { deviceKind } from './testing/device-kind.ts';
import { MEMORY_GRACE_MS } from './testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from './testing/two-regions.ts';

type Regions = TwoRegions<typeof deviceKind>;

const IDS = Array.from({ length: 12 }, (_, index) => `id-${index}`);
const NOT_ABORTED = new AbortController().signal;

interface Sent {
  readonly messageId: string;
  readonly body: Uint8Array;
}

/** Writes in east, one after the other, and sweeps them, so that all are sent at once. */
async function sweepTwelve(wireVersion: number): Promise<{ regions: Regions; sent: Sent[] }> {
  const regions = await createTwoRegions(deviceKind, {
    east: { relaysAtOnce: false, wireVersion },
  });
  const { east, bus, clock, drive } = regions;
  for (const id of IDS) await drive(east.table.put(id, { label: id }));
  await clock.advance(MEMORY_GRACE_MS);
  await drive(east.replicator.sweepOnce());
  const queued = await bus.viewerFor('west').peek('messages', 0n, 100);
  const sent = queued.filter(({ subject }) => subject === 'change-set');
  return { regions, sent: sent.map(({ messageId, body }) => ({ messageId, body })) };
}

async function labelsIn({ west }: Regions): Promise<(string | null | undefined)[]> {
  const found = await Promise.all(IDS.map((id) => west.table.get(id)));
  return found.map((one) => one?.entity.label);
}

/** The first set of the pack is then of a kind that nobody has heard of, and as long as it was. */
function ofUnknownKind(body: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(body);
  return new TextEncoder().encode(text.replace('"entityKind":"Devices"', '"entityKind":"Unheard"'));
}

describe('change sets that share a message', () => {
  test('are fewer messages than sets, and arrive and are archived as one by one', async () => {
    const { regions, sent } = await sweepTwelve(PACK_WIRE_VERSION);
    const { east, west } = regions;
    expect(sent.length).toBeLessThan(IDS.length / 2);
    const packed = sent.flatMap(({ body }) => unpackChangeSets(body));
    expect(new Set(packed.map((one) => decodeChangeSet(one).stamp)).size).toBe(IDS.length);
    await regions.settle();
    expect(await labelsIn(regions)).toEqual(IDS);
    for (const { set } of east.committed) expect(await west.archive.has(set)).toBe(true);
    expect(regions.bus.deadLettersOf('west')).toEqual([]);
  });

  test('I3: may come again, packed or alone', async () => {
    const { regions, sent } = await sweepTwelve(PACK_WIRE_VERSION);
    const publisher = regions.bus.publisherFor('west', 'west');
    for (const { messageId, body } of sent) {
      await publisher.publish([{ messageId, subject: 'change-set', body }]);
      for (const one of unpackChangeSets(body)) {
        await publisher.publish([{ messageId: 'alone', subject: 'change-set', body: one }]);
      }
    }
    await regions.settle();
    expect(await labelsIn(regions)).toEqual(IDS);
    expect(regions.west.conflicts).toEqual([]);
  });

  test('are not sent to a peer that may not read them: then each is sent as it always was', async () => {
    const { regions, sent } = await sweepTwelve(WIRE_VERSION);
    expect(sent).toHaveLength(IDS.length);
    const stamps = sent.map(({ body }) => decodeChangeSet(body).stamp);
    expect(sent.map(({ messageId }) => messageId)).toEqual(
      stamps.map((stamp) => `${deviceKind.name}/${stamp}`),
    );
    await regions.settle();
    expect(await labelsIn(regions)).toEqual(IDS);
  });

  test('are set aside as too new by a build that knows no packs', async () => {
    const { sent } = await sweepTwelve(PACK_WIRE_VERSION);
    const pack = sent.find(({ body }) => unpackChangeSets(body).length > 1);
    expect(() => decodeChangeSet(pack!.body)).toThrow(TerminalError);
    expect(() => decodeChangeSet(pack!.body)).toThrow(/wire version 2/);
  });

  test('I10: one that cannot be applied takes none of the others with it', async () => {
    const { sent } = await sweepTwelve(PACK_WIRE_VERSION);
    const { messageId, body } = sent.find((one) => unpackChangeSets(one.body).length > 2)!;
    const sets = unpackChangeSets(body).map((one) => decodeChangeSet(one));
    const [refused, ...others] = sets.map(({ changes }) => changes[0]!.entityId);
    const { west, bus, drive } = await createTwoRegions(deviceKind);
    const send = (one: Uint8Array): Promise<void> =>
      bus.publisherFor('west', 'west').publish([{ messageId, subject: 'change-set', body: one }]);

    await send(ofUnknownKind(body));
    await drive(west.replicator.receiveOnce(NOT_ABORTED));
    for (const id of others) expect((await west.table.get(id))?.entity.label).toBe(id);
    for (const set of sets.slice(1)) expect(await west.archive.has(set)).toBe(true);
    expect(await west.table.get(refused!)).toBeUndefined();
    const [letter, ...more] = bus.deadLettersOf('west');
    expect(more).toEqual([]);
    expect(letter).toMatchObject({ messageId, reason: 'ENTITY_KIND_UNKNOWN' });
    expect(letter?.description).toContain(`1 of ${sets.length} change sets`);
    expect(letter?.description).toContain(`"${refused}"`);

    // Sent again once the region knows the kind, it does what was left to do and nothing twice.
    await send(body);
    await drive(west.replicator.receiveOnce(NOT_ABORTED));
    expect((await west.table.get(refused!))?.entity.label).toBe(refused);
    expect(west.conflicts).toEqual([]);
  });

  test('I10: a pack that is damaged is dead-lettered whole, and holds up nothing', async () => {
    const { regions, sent } = await sweepTwelve(PACK_WIRE_VERSION);
    const { body } = sent.find((one) => unpackChangeSets(one.body).length > 1)!;
    const damaged = { messageId: 'cut', subject: 'change-set', body: body.slice(0, -9) } as const;
    await regions.bus.publisherFor('west', 'west').publish([damaged]);
    await regions.settle();
    expect(await labelsIn(regions)).toEqual(IDS);
    expect(regions.bus.deadLettersOf('west')).toMatchObject([
      { messageId: 'cut', reason: 'CHANGE_UNDECODABLE' },
    ]);
  });
});
