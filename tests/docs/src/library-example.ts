import { defineEntityKind, edm } from '@tandem/core';
import { openRegion } from '@tandem/region';
import { Type } from 'typebox';

const schema = Type.Object({ label: edm.string({ maxLength: 80 }), restarts: edm.int32() });
const region = await openRegion({
  region: 'east',
  store: process.env['STORAGE_CONNECTION'] ?? '',
  tables: { devices: defineEntityKind({ name: 'Devices', schema }) },
  settings: { 'Customer.DataAccess': 'single-region' },
});
const { devices } = region.tables;
await devices.put('pump-7', { label: 'Pump 7', restarts: 0 });
console.log((await devices.get('pump-7'))?.entity);
await region.stop();
