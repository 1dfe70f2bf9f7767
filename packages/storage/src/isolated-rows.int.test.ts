import { setTimeout as delay } from 'node:timers/promises';
import { TableClient } from '@azure/data-tables';
import {
  type Applier,
  bucketOf,
  type ChangeSet,
  createHybridClock,
  encodeChangeSet,
  type FieldValue,
  formatStamp,
  type TableStore,
} from '@tandem/core';
import { createSeededRandomness } from '@tandem/core/memory';
import { applyApart, type ReceivedSet } from '@tandem/core/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAzureTableStore } from './azure/azure-table-store.ts';
import { createTableRowScanner } from './recovery/recovery-region.ts';
import { createStoreProbe } from './status/store-probe.ts';
import { ARCHIVE_TABLE, createTableArchive } from './tables/table-archive.ts';
import { CONFLICTS_TABLE } from './tables/table-conflict-journal.ts';
import { createTableReplica } from './tables/table-replica.ts';
import { deviceKind } from './testing/device-kind.ts';
import { type Azurite, startAzurite } from './testing/start-azurite.ts';
import { createReplicatedTable } from './write-path/create-replicated-table.ts';

const BUCKET_COUNT = 2;
const BUCKET = '00';
const NOW_MS = Date.UTC(2026, 0, 1);
const IDS = Array.from({ length: 60 }, (_, index) => `device-${index}`);
/** Azurite keeps such a row although it says 500, and fails for whoever meets it: a table of its own. */
const poisonKind = { ...deviceKind, name: 'Poisoned' };
const OWN = IDS.filter((id) => bucketOf(id, BUCKET_COUNT) === BUCKET);

let azurite: Azurite;
let store: TableStore;

beforeAll(async () => {
  azurite = await startAzurite();
  store = createAzureTableStore({ connectionString: azurite.connectionString });
  for (const table of [deviceKind.name, poisonKind.name, ARCHIVE_TABLE, CONFLICTS_TABLE]) {
    await store.createTable(table);
  }
});
afterAll(async () => azurite?.stop());

function receivedSet(entityId: string, fieldName: string): ReceivedSet {
  const stamp = formatStamp({ timeMs: NOW_MS, counter: 0, region: 'east', writer: 'w' });
  const value: FieldValue = { type: 'String', value: entityId };
  const state = {
    fields: new Map([[fieldName, { value, stamp }]]),
    alive: stamp,
    deleted: undefined,
    vector: new Map([['east', stamp]]),
  };
  const changes = [{ entityId, operation: 'create', state }] as const;
  const set: ChangeSet = { entityKind: poisonKind.name, bucket: BUCKET, stamp, changes };
  return { key: entityId, set, encoded: encodeChangeSet(set) };
}

/** Writes the rows of all sets in one transaction, as a batch is applied. */
function createRowWriter(): Pick<Applier, 'apply'> {
  const replica = createTableReplica({ store, kind: poisonKind, bucketCount: BUCKET_COUNT });
  return {
    async apply(sets) {
      const writes = sets.flatMap(({ set }) =>
        set.changes.map(({ entityId, state }) => ({
          entityId,
          row: { state, referenceId: undefined },
          stored: undefined,
        })),
      );
      await replica.write(BUCKET, writes);
      return new Map(sets.map(({ key }) => [key, undefined]));
    },
  };
}

describe('on Azurite', () => {
  test('A8: rows that an ordinary client wrote break no list, and are named', async () => {
    const told: string[] = [];
    const clock = { nowMs: () => NOW_MS, sleep: (durationMs: number) => delay(durationMs) };
    const table = createReplicatedTable({
      kind: deviceKind,
      store,
      archive: createTableArchive({ store }),
      hybridClock: createHybridClock({
        region: 'west',
        writer: 'w',
        nowMs: clock.nowMs,
        driftMsMax: 60_000,
      }),
      clock,
      randomness: createSeededRandomness(1),
      bucketCount: BUCKET_COUNT,
      peers: [],
      onCommitted: () => undefined,
      onDamaged: ({ partitionKey, rowKey }) => void told.push(`${partitionKey}/${rowKey}`),
    });
    for (const id of IDS) await table.put(id, { label: id });
    const client = TableClient.fromConnectionString(azurite.connectionString, deviceKind.name, {
      allowInsecureConnection: true,
    });
    const foreign = [
      { partitionKey: 'tenant1', rowKey: 'a', name: 'by hand' },
      { partitionKey: BUCKET, rowKey: 'a b', name: 'by hand' },
      { partitionKey: BUCKET, rowKey: '=zz', when: new Date(NOW_MS), rate: 1.5 },
      { partitionKey: BUCKET, rowKey: 'zoë', _vector: 5 },
      { partitionKey: '01', rowKey: 'x=20', _vector: 'v', _stamps: '{' },
    ];
    for (const row of foreign) await client.createEntity(row);
    for (const filter of [{}, { changedSinceMs: 0 }]) {
      const ids: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await table.list(7, cursor, filter);
        ids.push(...page.records.map(({ entityId }) => entityId));
        ({ cursor } = page);
      } while (cursor !== undefined);
      expect(ids.filter((id) => IDS.includes(id)).toSorted()).toEqual(IDS.toSorted());
    }
    expect(new Set(told)).toEqual(
      new Set(foreign.slice(1).map(({ partitionKey, rowKey }) => `${partitionKey}/${rowKey}`)),
    );
    const scanner = createTableRowScanner({ store, kind: deviceKind, bucketCount: BUCKET_COUNT });
    const skipped: string[] = [];
    for await (const one of scanner.scan(BUCKET)) {
      if (one.kind === 'damaged') skipped.push(one.rowKey);
    }
    expect(skipped.toSorted()).toEqual(['=zz', 'a b', 'zoë']);
  });

  test('A4: a column that the store always fails for is told from an outage', async () => {
    const [poisonId = '', ...others] = OWN;
    const sets = [
      ...others.slice(0, 5).map((id) => receivedSet(id, 'label')),
      receivedSet(poisonId, 'hasOwnProperty'),
      ...others.slice(5, 9).map((id) => receivedSet(id, 'label')),
    ];
    const applier = createRowWriter();
    const failure = await applier.apply(sets).then(
      () => undefined,
      (error: unknown) => error,
    );
    // As the service says of an outage: nothing in the answer tells the two apart.
    expect(failure).toMatchObject({ retryable: true });
    const probe = createStoreProbe({ store });
    const options = { applier, probe, hurry: () => undefined };
    const { results, isolated } = await applyApart(sets, failure, options);
    expect([...isolated.keys()]).toEqual([poisonId]);
    expect([...results.keys()].toSorted()).toEqual(others.slice(0, 9).toSorted());

    const isDown = async (): Promise<void> => {
      throw new Error('The probe fails too.');
    };
    await expect(applyApart(sets, failure, { ...options, probe: isDown })).rejects.toBeDefined();
  });
});
