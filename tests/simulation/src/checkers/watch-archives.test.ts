import type { FieldValue } from '@tandem/core';
import { ARCHIVE_TABLE } from '@tandem/storage';
import { beforeEach, describe, expect, test } from 'vitest';
import { createLedger } from '../observe/ledger.ts';
import { createWorld } from '../world/create-world.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import { watchArchives } from './watch-archives.ts';

const BUCKET = '00';
const OF_EAST = '019b7aba9a9e-0000-east-a0n1';
const OF_WEST = '019b7aba9b00-0000-west-a0n1';

let world: World;
let found: string[];
let rebuild: string;

beforeEach(async () => {
  world = await createWorld({ seed: 1 });
  found = [];
  watchArchives({ world, ledger: createLedger(world) }, (_, message) => void found.push(message));
  const { id } = world.recoveries.begin(
    { kind: 'rebuild', target: 'east' },
    world.scheduler.nowMs(),
  );
  rebuild = `rebuild.commit.entity@${id}`;
});

const text = (value: string): FieldValue => ({ type: 'String', value });

/** Someone writes the row of gadget-1 in east, so that it contains these transactions. */
async function writeRow(site: string, ...vector: readonly string[]): Promise<void> {
  const [stamp = ''] = vector;
  const stamps = JSON.stringify({ [stamp]: ['label'] });
  const columns = { _vector: vector.join('.'), _stamps: stamps, _alive: stamp, label: 'new' };
  const properties = new Map(Object.entries(columns).map(([name, one]) => [name, text(one)]));
  const upsert = { kind: 'upsert', rowKey: 'gadget-1', properties } as const;
  const transaction = { table: gadgetKind.name, partitionKey: BUCKET, operations: [upsert] };
  await world.regionNamed('east').account.commit(transaction, site);
}

/** The archive of east gets the transaction. */
async function archive(stamp: string): Promise<void> {
  const state = { fields: {}, alive: stamp, vector: [stamp] };
  const set = { stamp, changes: [{ entityId: 'gadget-1', operation: 'replace', state }] };
  const properties = new Map<string, FieldValue>([
    ['payload0', { type: 'Binary', value: Buffer.from(JSON.stringify(set)) }],
  ]);
  const insert = { kind: 'insert', rowKey: stamp, properties } as const;
  const transaction = { table: ARCHIVE_TABLE, partitionKey: BUCKET, operations: [insert] };
  await world.regionNamed('east').account.commit(transaction, 'rebuild.commit.archive');
}

const write = 'write.commit.entity+outbox';

describe('I5: what a rebuild joins into a row', () => {
  test('is in the archive before', async () => {
    await archive(OF_WEST);
    await writeRow(rebuild, OF_WEST);
    expect(found).toEqual([]);
  });

  test('is told of when the archive does not have it', async () => {
    await writeRow(rebuild, OF_WEST);
    expect(found).toEqual([`${rebuild} wrote ${OF_WEST} of gadget-1 in east alone`]);
  });

  test('is not what a client wrote into the row, which the outbox owes to the archive', async () => {
    await writeRow(write, OF_EAST);
    await archive(OF_WEST);
    await writeRow(rebuild, OF_EAST, OF_WEST);
    expect(found).toEqual([]);
  });

  test('is told of beside what a client wrote into the row', async () => {
    await writeRow(write, OF_EAST);
    await writeRow(rebuild, OF_EAST, OF_WEST);
    expect(found).toEqual([`${rebuild} wrote ${OF_WEST} of gadget-1 in east alone`]);
  });

  test('is what a client wrote when the store has lost the row since', async () => {
    await writeRow(write, OF_EAST);
    await world.regionNamed('east').account.lose(gadgetKind.name, BUCKET, 'gadget-1');
    await writeRow(rebuild, OF_EAST);
    expect(found).toEqual([`${rebuild} wrote ${OF_EAST} of gadget-1 in east alone`]);
  });
});
