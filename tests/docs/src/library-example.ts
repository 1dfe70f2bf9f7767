import { createHybridClock, defineEntityKind, edm } from '@tandem/core';
import { createSystemClock, createSystemRandomness, createWriterId } from '@tandem/service-kit';
import * as storage from '@tandem/storage';
import { Type } from 'typebox';

const schema = Type.Object({ label: edm.string({ maxLength: 80 }), restarts: edm.int32() });
const kind = defineEntityKind({ name: 'Devices', schema });
const connectionString = process.env['STORAGE_CONNECTION'] ?? '';
const store = storage.createAzureTableStore({ connectionString });
for (const table of [kind.name, storage.ARCHIVE_TABLE]) await store.createTable(table);
const [clock, randomness] = [createSystemClock(), createSystemRandomness()];
const basics = { kind, store, clock, randomness, bucketCount: 4, peers: ['west'] };
const stamps = { region: 'east', writer: createWriterId(randomness), driftMsMax: 60_000 };
const devices = storage.createReplicatedTable({
  ...basics,
  archive: storage.createTableArchive({ store }),
  hybridClock: createHybridClock({ ...stamps, nowMs: () => clock.nowMs() }),
  onCommitted: ({ set, owed }) => console.log(`${set.stamp} is owed to ${owed.join()}`),
});
await devices.put('pump-7', { label: 'Pump 7', restarts: 0 });
console.log((await devices.get('pump-7'))?.entity);
