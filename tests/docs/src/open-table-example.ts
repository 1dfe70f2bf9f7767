import { openRegion } from '@tandem/region';

const region = await openRegion({
  region: 'east',
  store: process.env['STORAGE_CONNECTION'] ?? '',
  tables: {},
  settings: { 'Customer.DataAccess': 'single-region', 'Messages.WireVersion': '4' },
});
await region.catalogue.create('Readings');
const readings = region.openTable('Readings');
const level = (value: number) => new Map([['level', { type: 'Int32', value }]] as const);
await readings.transact([
  { kind: 'put', partitionKey: 'pump-7', rowKey: '08:02', values: level(4) },
  { kind: 'put', partitionKey: 'pump-7', rowKey: '08:01', values: level(9) },
]);
const high = {
  kind: 'compare',
  name: 'level',
  operator: 'gt',
  value: { type: 'Int32', value: 5 },
} as const;
const page = await readings.query({ partition: 'pump-7', where: high });
for (const { rowKey, values } of page.records) console.log(rowKey, values.get('level'));
await region.stop();
