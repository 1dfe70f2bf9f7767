import {
  type ChangeSet,
  encodeChangeSet,
  type EntityState,
  eraseState,
  type Stamp,
  type TableStore,
} from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { ARCHIVE_TABLE, createTableArchive } from './table-archive.ts';
import { createTableArchiveKeeper } from '../recovery/archive-keeper.ts';

const STAMP = '019b78230721-0000-east-a0n1' as Stamp;
const LATER = '019b78230722-0000-east-a0n1' as Stamp;

function stateOf(label: string, stamp: Stamp): EntityState {
  return {
    fields: new Map([['label', { stamp, value: { type: 'String', value: label } }]]),
    alive: stamp,
    deleted: undefined,
    vector: new Map([['east', stamp]]),
  };
}

/** Two entities in one transaction. */
function setOf(stamp: Stamp): ChangeSet {
  return {
    entityKind: 'Devices',
    bucket: '00',
    stamp,
    changes: ['a', 'b'].map((entityId) => ({
      entityId,
      operation: 'replace',
      state: stateOf(entityId, stamp),
    })),
  };
}

const WHOLE = setOf(STAMP);
const OF_A: ChangeSet = { ...WHOLE, changes: WHOLE.changes.slice(0, 1) };

async function openStore(): Promise<TableStore> {
  const store = createMemoryTableStore();
  await store.createTable(ARCHIVE_TABLE);
  return store;
}

const append = (store: TableStore, set: ChangeSet): Promise<void> =>
  createTableArchive({ store }).append([{ set, encoded: encodeChangeSet(set) }]);

async function archivedIn(store: TableStore): Promise<readonly ChangeSet[]> {
  const sets: ChangeSet[] = [];
  const keeper = createTableArchiveKeeper({ store });
  for await (const row of keeper.scan({ entityKind: 'Devices', bucket: '00' })) {
    if (row.kind === 'set') sets.push(row.set);
  }
  return sets;
}

test('I19: what stands for a change set gives way to it', async () => {
  const store = await openStore();
  await createTableArchiveKeeper({ store }).restore([OF_A]);
  expect(await archivedIn(store)).toEqual([OF_A]);
  await append(store, WHOLE);
  expect(await archivedIn(store)).toEqual([WHOLE]);
});

test('I19: a late delivery brings back nothing that was erased', async () => {
  const store = await openStore();
  await append(store, WHOLE);
  const keeper = createTableArchiveKeeper({ store });
  const erased = {
    ...WHOLE,
    changes: WHOLE.changes.map((one) => ({ ...one, state: eraseState(one.state) })),
  };
  for await (const row of keeper.scan({ entityKind: 'Devices', bucket: '00' })) {
    if (row.kind !== 'set') continue;
    await keeper.put([{ ...row, set: erased, encoded: encodeChangeSet(erased) }]);
  }
  await append(store, WHOLE);
  expect(await archivedIn(store)).toEqual([erased]);
  const other = setOf(LATER);
  // In one transaction with what is there already.
  await createTableArchive({ store }).append(
    [WHOLE, other].map((set) => ({ set, encoded: encodeChangeSet(set) })),
  );
  expect(await archivedIn(store)).toEqual([erased, other]);
});
