import type { FieldValues } from '@tandem/core';
import { createMemoryTableStore, createSeededRandomness } from '@tandem/core/memory';
import { openRegion } from '@tandem/region';
import { createLogger, createSystemClock } from '@tandem/service-kit';
import { seedConfiguration, tandemSettings } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { EXIT } from '../exit-codes.ts';
import { runProgram } from '../program.ts';

const KEY = { partitionKey: 'Ada Lovelace', rowKey: 'R!1' };
const item = (value: string): FieldValues => new Map([['item', { type: 'String', value }]]);
const ROW = ['--table', 'orders', '--partition', KEY.partitionKey, '--row', KEY.rowKey];

/** A region as a service opens it, with a table of clients, and the program beside it. */
async function setUp() {
  const store = createMemoryTableStore();
  const settings = { 'Customer.DataAccess': 'single-region', 'Messages.WireVersion': '4' } as const;
  const region = await openRegion({
    region: 'east',
    store,
    tables: {},
    settings,
    logger: createLogger({ service: 'cli', region: 'east', level: 'fatal' }),
  });
  await region.catalogue.create('Orders');
  const orders = region.openTable('Orders');
  await orders.put(KEY, item('pump'));
  await orders.put({ ...KEY, rowKey: 'r!1' }, item('valve'));
  await orders.put(KEY, item('pipe'));
  // What is relayed late is archived by then.
  await region.stop();
  await seedConfiguration({ store, definitions: tandemSettings, values: settings });
  const inventory = JSON.stringify({
    version: 1,
    regions: [{ name: 'east', storage: 'memory', serviceBus: 'east.servicebus.example' }],
  });
  const run = async (...args: readonly string[]) => {
    const said = { out: '', err: '' };
    const code = await runProgram(['--json', ...args], {
      out: (line) => void (said.out += line),
      err: (line) => void (said.err += line),
      isTerminal: false,
      environment: { TANDEM_REGIONS: inventory },
      folder: '/nowhere',
      openStore: () => store,
      inspectQueue: async () => [],
      readReadiness: async () => undefined,
      openQueue: () => EMPTY_QUEUE,
      clock: createSystemClock(),
      randomness: createSeededRandomness(1),
      signal: new AbortController().signal,
    });
    const last = said.out.trimEnd().split('\n').at(-1) ?? '{}';
    return { code, json: JSON.parse(last) as Record<string, unknown>, err: said.err };
  };
  return { run };
}

const EMPTY_QUEUE = {
  peek: async () => [],
  close: async () => undefined,
} as never;

describe('a table of clients by its own name', () => {
  test('shows the history of one row, its keys as they are, its values with their types', async () => {
    const { run } = await setUp();
    const { code, json } = await run('history', ...ROW);
    expect(code).toBe(EXIT.ok);
    expect(json).toMatchObject({
      table: 'Orders',
      ...KEY,
      entries: [
        { operation: 'create', values: { item: ['String', 'pump'] }, changedFields: ['item'] },
        { operation: 'replace', values: { item: ['String', 'pipe'] } },
      ],
    });
  });

  test('forgets one row, and proves it; the one beside it stays', async () => {
    const { run } = await setUp();
    expect(await run('forget', ...ROW)).toMatchObject({ json: { applied: false, ...KEY } });
    expect(await run('forget', ...ROW, '--apply')).toMatchObject({
      code: EXIT.ok,
      json: { applied: true, left: 0 },
    });
    const { json } = await run('history', ...ROW);
    expect(JSON.stringify(json)).not.toMatch(/pump|pipe/);
    const beside = await run('history', ...ROW.slice(0, -1), 'r!1');
    expect(JSON.stringify(beside.json)).toContain('valve');
  });

  test('plans a replay of one row, and refuses one of the table', async () => {
    const { run } = await setUp();
    const replay = ['replay', '--from', 'east', '--in-place', '--of', 'Orders'];
    expect(await run(...replay, ...ROW.slice(2))).toMatchObject({
      code: EXIT.ok,
      json: { applied: false, same: 1 },
    });
    expect(await run(...replay)).toMatchObject({ code: EXIT.usage });
  });

  test('is told from the others in what is at risk, and in conflicts', async () => {
    const { run } = await setUp();
    const of = ['--region', 'east', '--table', 'Orders', '--partition', KEY.partitionKey];
    expect(await run('at-risk', ...of)).toMatchObject({ code: EXIT.ok, json: { lost: [] } });
    expect(await run('conflicts', 'list', ...of)).toMatchObject({ json: { conflicts: [] } });
  });

  test('that there is none of, or a row that is named by halves, is refused', async () => {
    const { run } = await setUp();
    const refused = [
      [['history', '--table', 'Sales', '--partition', 'a', '--row', 'b'], /No catalogue has/],
      [['history', '--table', 'no name', '--row', 'b'], /There is no table "no name"/],
      [['history', '--table', 'Orders', '--row', 'b'], /--partition <key> --row <key>/],
      [['history', '--table', 'Catalog', '--partition', 'a', '--row', 'b'], /by --row alone/],
      [['verify', '--table', 'Orders'], /all tables of clients are Rows/],
    ] as const;
    for (const [args, message] of refused) {
      const { code, err } = await run(...args);
      expect(err).toMatch(message);
      expect(code).toBe(EXIT.usage);
    }
  });
});
