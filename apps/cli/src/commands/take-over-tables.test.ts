import { type FieldValue, MARK_WIRE_VERSION, type Properties, type TableStore } from '@tandem/core';
import {
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
  driveVirtualTime,
} from '@tandem/core/memory';
import { createRegion } from '@tandem/region';
import { createLogger } from '@tandem/service-kit';
import { seedConfiguration, tandemSettings } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { EXIT } from '../exit-codes.ts';
import { runProgram } from '../program.ts';

const SETTINGS = {
  'Customer.DataAccess': 'single-region',
  'Messages.WireVersion': '7',
  'Tables.Sources': '[{"name":"shop","connection":"AccountName=shop;AccountKey=a2V5"}]',
} as const;
const OTHER = '[{"name":"other","connection":"AccountName=shop;AccountKey=a2V5"}]';
const VALUES: Properties = new Map<string, FieldValue>([
  ['large', { type: 'Int64', value: 2n ** 63n - 1n }],
  ['whole', { type: 'Double', value: 5 }],
  ['when', { type: 'DateTime', value: '2026-12-01T02:29:48.1234567Z' }],
  ['bytes', { type: 'Binary', value: new Uint8Array([0, 255, 10]) }],
]);

async function putPlain(shop: TableStore, rowKey: string, values = VALUES): Promise<void> {
  const operations = [{ kind: 'upsert' as const, rowKey, properties: values }];
  await shop.commit({ table: 'Plain', partitionKey: 'p', operations });
}

async function setUp(settings: Partial<Record<keyof typeof SETTINGS, string>> = {}) {
  const clock = createVirtualClock(Date.UTC(2026, 11, 1));
  const shop = createMemoryTableStore({ nowMs: () => clock.nowMs(), isTagged: true });
  await shop.createTable('Plain');
  for (const rowKey of ['1', '2', '3', '4']) await putPlain(shop, rowKey);
  const store = createMemoryTableStore();
  const given = { ...SETTINGS, ...settings };
  const region = createRegion({
    region: 'east',
    store,
    tables: {},
    replicate: true,
    settings: given,
    clock,
    randomness: createSeededRandomness(1),
    openSource: () => shop,
    logger: createLogger({ service: 'cli', region: 'east', level: 'fatal' }),
  });
  await driveVirtualTime(clock, region.open());
  await seedConfiguration({ store, definitions: tandemSettings, values: given });
  const inventory = JSON.stringify({
    version: 1,
    regions: [{ name: 'east', storage: 'memory', serviceBus: 'east.servicebus.example' }],
  });
  let runs = 1;
  /** A command is cut off once it has said that. */
  const cut = { at: 'never' };
  const run = async (verb: string, ...args: readonly string[]) => {
    const said = { out: '', err: '' };
    const over = new AbortController();
    const all = ['--json', 'tables', verb, 'Orders', '--region', 'east', ...args];
    const code = await driveVirtualTime(
      clock,
      runProgram(all, {
        out: (line) => void (said.out += line),
        err: (line) => {
          said.err += line;
          if (line.includes(cut.at)) over.abort();
        },
        isTerminal: false,
        environment: { TANDEM_REGIONS: inventory },
        folder: '/nowhere',
        openStore: (connection) => (connection === 'memory' ? store : shop),
        inspectQueue: async () => [],
        readReadiness: async () => undefined,
        openQueue: () => ({}) as never,
        clock,
        randomness: createSeededRandomness((runs += 1)),
        signal: over.signal,
      }),
    );
    const last = said.out.trimEnd().split('\n').at(-1) ?? '{}';
    return { code, json: JSON.parse(last) as Record<string, unknown>, ...said };
  };
  const adopt = (...args: readonly string[]) =>
    run('adopt', '--from', 'shop', '--account-table', 'Plain', ...args);
  const takeOver = () => run('take-over', '--apply', '--confirm', 'east');
  const orders = region.openTable('Orders');
  const drive = <T>(work: Promise<T>): Promise<T> => driveVirtualTime(clock, work);
  return { clock, shop, region, cut, run, adopt, takeOver, orders, drive };
}

describe('I26: a table is taken over by commands', () => {
  test('from the plain table to the proof, each saying what it would do first', async () => {
    const { clock, run, adopt, takeOver, orders, drive } = await setUp();
    const looked = await adopt();
    expect(looked).toMatchObject({ code: EXIT.ok, json: { applied: false, rows: 4 } });
    expect(await run('status')).toMatchObject({ code: EXIT.finding });
    expect(await adopt('--apply')).toMatchObject({ json: { applied: true } });
    expect(await adopt('--apply')).toMatchObject({ code: EXIT.ok, json: { applied: false } });
    const key = { partitionKey: 'p', rowKey: '1' };
    expect((await drive(orders.get(key)))?.values).toEqual(VALUES);
    await drive(orders.remove({ ...key, rowKey: '2' }));
    const said = await run('take-over');
    expect(said).toMatchObject({
      code: EXIT.ok,
      json: { applied: false, source: { state: 'proxy' } },
    });
    expect(await run('take-over', '--apply')).toMatchObject({ code: EXIT.usage });
    expect(await takeOver()).toMatchObject({
      json: { applied: true, source: { state: 'overlay' } },
    });
    await drive(
      orders.merge({ ...key, rowKey: '3' }, new Map([['n', { type: 'Int32', value: 1 }]])),
    );
    await clock.advance(30_000);
    const status = await run('status');
    expect(status).toMatchObject({
      code: EXIT.ok,
      json: { source: { state: 'copied' }, copy: { read: 3, refusedCount: 0, strayCount: 0 } },
    });
    const report = { rows: 3, untouched: 2, changed: 1, deleted: 0, faultCount: 0, proven: true };
    const proven = await run('verify-copy');
    expect(proven).toMatchObject({ code: EXIT.ok, json: { ...report, applied: false } });
    const done = await run('verify-copy', '--apply');
    expect(done).toMatchObject({
      code: EXIT.ok,
      json: { ...report, applied: true, digest: proven.json['digest'] },
    });
    expect((await run('status')).json).toMatchObject({
      source: { state: 'done', proof: { rows: 3, digest: proven.json['digest'] } },
    });
  });

  test('holding writes for six seconds at most', async () => {
    const { clock, adopt, takeOver, orders, drive } = await setUp();
    await adopt('--apply');
    const over = new AbortController();
    let longestMs = 0;
    const write = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const startMs = clock.nowMs();
        await orders.put({ partitionKey: 'p', rowKey: '1' }, VALUES);
        longestMs = Math.max(longestMs, clock.nowMs() - startMs);
        await clock.sleep(70);
      }
    };
    const writing = write();
    await takeOver();
    await clock.advance(1_000);
    over.abort();
    await drive(writing);
    expect(longestMs).toBeGreaterThan(3_000);
    expect(longestMs).toBeLessThanOrEqual(6_000);
  });

  test('is refused while a row is missing, and names it', async () => {
    const { clock, run, adopt, takeOver, shop, orders, drive } = await setUp();
    await adopt('--apply');
    await takeOver();
    await drive(orders.remove({ partitionKey: 'p', rowKey: '1' }));
    await clock.advance(30_000);
    await putPlain(shop, '5');
    await putPlain(shop, '3', new Map());
    const refused = await run('verify-copy', '--apply');
    expect(refused).toMatchObject({
      code: EXIT.finding,
      json: {
        applied: false,
        proven: false,
        faultCount: 2,
        deleted: 1,
        source: { state: 'copied' },
        faults: [
          { rowKey: '3', why: 'It is different in east.' },
          { rowKey: '5', why: 'It is missing in east.' },
        ],
      },
    });
  });

  test('is given back as long as it is frozen, and not later', async () => {
    const { run, cut, adopt, takeOver } = await setUp();
    await adopt('--apply');
    // What the act would do, and no more, is what is said before it.
    for (const act of [[], ['--apply']]) {
      expect(await run('take-over', '--back', ...act)).toMatchObject({
        code: EXIT.ok,
        json: { applied: false, source: { state: 'proxy' } },
      });
    }
    cut.at = 'is frozen';
    expect(await takeOver()).not.toMatchObject({ code: EXIT.ok });
    cut.at = 'never';
    for (const [act, applied, state] of [
      [[], false, 'frozen'],
      [['--apply'], true, 'proxy'],
    ] as const) {
      const back = await run('take-over', '--back', ...act);
      expect(back).toMatchObject({ code: EXIT.ok, json: { applied, source: { state } } });
    }
    await takeOver();
    for (const act of [[], ['--apply']]) {
      expect(await run('take-over', '--back', ...act)).toMatchObject({ code: EXIT.failed });
    }
    expect(await takeOver()).toMatchObject({ code: EXIT.ok, json: { applied: false } });
  });

  test('is adopted once, and from one place, and says so before it would be', async () => {
    const { shop, run, adopt } = await setUp();
    await adopt('--apply');
    await shop.createTable('Other');
    for (const act of [[], ['--apply']]) {
      const again = await adopt(...act);
      expect(again).toMatchObject({ code: EXIT.ok, json: { applied: false, rows: 4 } });
      expect(again.out).toContain('Plain');
      const other = await run('adopt', '--from', 'shop', '--account-table', 'Other', ...act);
      expect(other).toMatchObject({ code: EXIT.failed });
      expect(other.err).toContain('is not taken over from Other of shop in east');
    }
  });

  test('is refused before anything begins where a region could not serve it', async () => {
    const old = await setUp({ 'Messages.WireVersion': '5' });
    expect((await old.adopt('--apply')).err).toContain('east has Messages.WireVersion 5');
    const unknown = await setUp({ 'Tables.Sources': OTHER });
    expect((await unknown.adopt('--apply')).err).toContain('east knows no source "shop"');
    const { shop, adopt } = await setUp();
    const operations = [{ kind: 'upsert' as const, rowKey: 'y'.repeat(300), properties: VALUES }];
    await shop.commit({ table: 'Plain', partitionKey: 'x'.repeat(300), operations });
    expect(await adopt('--apply')).toMatchObject({
      code: EXIT.finding,
      json: { applied: false, rows: 5, refusedCount: 1 },
    });
  });

  test('is refused before anything begins where a name has a mark that regions do not take yet', async () => {
    const adoptMarked = async (settings: Partial<Record<keyof typeof SETTINGS, string>>) => {
      const { shop, adopt } = await setUp(settings);
      const properties = new Map([['नाम', { type: 'String' as const, value: 'x' }]]);
      const operations = [{ kind: 'upsert' as const, rowKey: '5', properties }];
      await shop.commit({ table: 'Plain', partitionKey: 'p', operations });
      return adopt('--apply');
    };
    const refused = await adoptMarked({});
    expect(refused).toMatchObject({
      code: EXIT.finding,
      json: { applied: false, rows: 5, refusedCount: 1 },
    });
    expect(JSON.stringify(refused.json)).toContain('Messages.WireVersion');
    const taken = await adoptMarked({ 'Messages.WireVersion': String(MARK_WIRE_VERSION) });
    expect(taken).toMatchObject({ code: EXIT.ok, json: { rows: 5 } });
  });
});
