import { type FieldValue, type TableStore, TransientError } from '@tandem/core';
import {
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
  driveVirtualTime,
} from '@tandem/core/memory';
import { createRegion } from '@tandem/region';
import { createLogger } from '@tandem/service-kit';
import { seedConfiguration, tandemSettings } from '@tandem/storage';
import { expect, test } from 'vitest';
import { EXIT } from '../exit-codes.ts';
import { runProgram } from '../program.ts';

const SETTINGS = {
  'Customer.DataAccess': 'single-region',
  'Messages.WireVersion': '7',
  'Tables.Sources': '[{"name":"shop","connection":"AccountName=shop;AccountKey=a2V5"}]',
} as const;
const VALUES = new Map<string, FieldValue>([['n', { type: 'Int32', value: 1 }]]);

test('a mirror is begun into an empty table, tells its lag, and ends', async () => {
  const clock = createVirtualClock(Date.UTC(2026, 11, 1));
  const shop = createMemoryTableStore({ nowMs: () => clock.nowMs(), isTagged: true });
  const store = createMemoryTableStore();
  const region = createRegion({
    region: 'east',
    store,
    tables: {},
    replicate: true,
    settings: SETTINGS,
    clock,
    randomness: createSeededRandomness(1),
    openSource: () => shop,
    logger: createLogger({ service: 'cli', region: 'east', level: 'fatal' }),
  });
  const drive = <T>(work: Promise<T>): Promise<T> => driveVirtualTime(clock, work);
  await drive(region.open());
  await seedConfiguration({ store, definitions: tandemSettings, values: SETTINGS });
  await drive(region.catalogue.create('Orders'));
  const key = { partitionKey: 'p', rowKey: '1' };
  await drive(region.openTable('Orders').put(key, VALUES));
  const inventory = JSON.stringify({
    version: 1,
    regions: [{ name: 'east', storage: 'memory', serviceBus: 'east.servicebus.example' }],
  });
  let failure: Error | undefined;
  const asked: TableStore = {
    ...shop,
    query: (range) => (failure === undefined ? shop.query(range) : Promise.reject(failure)),
  };
  let runs = 1;
  const run = async (...args: readonly string[]) => {
    const said = { out: '', err: '' };
    const code = await drive(
      runProgram(['--json', 'tables', 'mirror', 'Orders', '--region', 'east', ...args], {
        out: (line) => void (said.out += line),
        err: (line) => void (said.err += line),
        isTerminal: false,
        environment: { TANDEM_REGIONS: inventory },
        folder: '/nowhere',
        openStore: (connection) => (connection === 'memory' ? store : asked),
        inspectQueue: async () => [],
        readReadiness: async () => undefined,
        openQueue: () => ({}) as never,
        clock,
        randomness: createSeededRandomness((runs += 1)),
        signal: new AbortController().signal,
      }),
    );
    const json = JSON.parse(said.out.trimEnd().split('\n').at(-1) || '{}') as unknown;
    return { code, json, ...said };
  };

  expect((await run('--to', 'other', '--apply')).err).toContain('east knows no source "other"');
  await shop.createTable('Full');
  const operations = [{ kind: 'upsert' as const, rowKey: 'r', properties: VALUES }];
  await shop.commit({ table: 'Full', partitionKey: 'p', operations });
  const full = await run('--to', 'shop', '--account-table', 'Full', '--apply');
  expect(full).toMatchObject({ code: EXIT.usage });
  expect(full.err).toContain('is not empty');
  const unlike = await run('--to', 'shop', '--end');
  expect(unlike).toMatchObject({ code: EXIT.usage });
  expect(unlike.err).toContain('Give --to to begin, or --end to end.');
  expect(await run()).toMatchObject({ code: EXIT.ok, json: { applied: false, mirror: null } });
  // Whether it is empty is not known.
  failure = new TransientError('TABLE_UNAVAILABLE', 'down');
  expect(await run('--to', 'shop', '--apply')).not.toMatchObject({ code: EXIT.ok });
  failure = undefined;
  await shop.createTable('Empty');
  const empty = await run('--to', 'shop', '--account-table', 'Empty');
  expect(empty).toMatchObject({ code: EXIT.ok, json: { applied: false, mirror: null } });
  expect(await run('--to', 'shop')).toMatchObject({ json: { applied: false, mirror: null } });
  // Who only asks makes nothing.
  await expect(shop.get('Orders', 'p', '1')).rejects.toMatchObject({ code: 'TABLE_MISSING' });
  const begun = { applied: true, mirror: { home: 'east', to: 'shop', table: 'Orders' } };
  const none = { code: EXIT.ok, json: { applied: false, mirror: null } };
  for (const act of [[], ['--apply']]) expect(await run('--end', ...act)).toMatchObject(none);
  expect(await run('--to', 'shop', '--apply')).toMatchObject({ code: EXIT.ok, json: begun });
  // What the act would do, and no more, is what is said before it.
  for (const act of [[], ['--apply']]) {
    const again = await run('--to', 'shop', ...act);
    expect(again).toMatchObject({ code: EXIT.ok, json: { ...begun, applied: false } });
    const elsewhere = await run('--to', 'shop', '--account-table', 'Other', ...act);
    expect(elsewhere).toMatchObject({ code: EXIT.failed });
    expect(elsewhere.err).toContain('to Orders of shop from east. End that first');
  }
  await expect(shop.get('Other', 'p', '1')).rejects.toMatchObject({ code: 'TABLE_MISSING' });
  await clock.advance(20_000);
  expect((await shop.get('Orders', 'p', '1'))?.properties).toEqual(VALUES);
  const told = await run();
  expect(told).toMatchObject({ code: EXIT.ok, json: { progress: { rows: 1, refused: 0 } } });
  expect((told.json as { lagMs: number }).lagMs).toBeLessThan(10_000);
  expect(await run('--end', '--apply')).toMatchObject({ json: { applied: true, mirror: null } });
  await drive(region.openTable('Orders').remove(key));
  await clock.advance(20_000);
  expect(await shop.get('Orders', 'p', '1')).toBeDefined();
});
