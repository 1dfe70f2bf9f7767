import { type AppError, assert, type TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { Type } from 'typebox';
import { beforeEach, describe, expect, expectTypeOf, test, vi } from 'vitest';
import {
  type ConfigurationOptions,
  createConfiguration,
  seedConfiguration,
} from './create-configuration.ts';
import { tandemSettings } from './definitions.ts';
import { currentNameOf, findOldNames, findOverrideProblems } from './resolve-settings.ts';
import {
  boolean,
  choice,
  durationMs,
  environmentNameOf,
  integer,
  json,
  type Secret,
  type SettingDefinition,
  secret,
  text,
} from './setting.ts';

const settings = {
  Mode: choice({ description: 'Mode.', choices: ['full', 'partial'], default: 'full' }),
  'Customer.Queue': text({ description: 'Queue.', default: 'customer' }),
  Region: text({ description: 'Region.', pattern: /^[a-z]+$/, rule: 'letters', required: true }),
  Key: secret({
    description: 'Key.',
    pattern: /^k-/,
    rule: 'a key',
    example: 'k-…',
    required: true,
  }),
  Count: integer({
    formerName: 'Old.Count',
    description: 'Count.',
    min: 1,
    max: 16,
    default: 4,
  }),
  'Sweep.IntervalMs': durationMs({
    description: 'Interval.',
    min: 10,
    max: 99_999,
    default: 1_000,
  }),
  IsOpen: boolean({ description: 'Open.' }),
  Depends: text({ description: 'Depends.', required: { when: 'Mode', is: 'partial' } }),
  Limits: json({
    description: 'Limits.',
    schema: Type.Array(Type.Object({ name: Type.String(), max: Type.Integer() })),
    rule: 'an array of {name, max}',
    example: '[{"name":"a","max":1}]',
    read: (limits) => new Map(limits.map(({ name, max }) => [name, max])),
  }),
} as const;

const SOURCE = { name: 'shop', connection: 'AccountName=shop;AccountKey=a2V5' };
const REFRESH_MS = 5_000;
const GOOD = { Region: 'east', Key: 'k-1' };

let store: TableStore;
let nowMs: number;

beforeEach(() => {
  store = createMemoryTableStore();
  nowMs = 1_000;
});

function create(options: Partial<ConfigurationOptions<typeof settings>> = {}) {
  const clock = { nowMs: () => nowMs };
  return createConfiguration({
    store,
    definitions: settings,
    clock,
    refreshMs: REFRESH_MS,
    ...options,
  });
}

async function loaded(values: { [N in keyof typeof settings]?: string } = {}) {
  await seedConfiguration({ store, definitions: settings, values: { ...GOOD, ...values } });
  const configuration = create();
  await configuration.load();
  return configuration;
}

/** Past the checks, as a person could do it. */
async function setRow(rowKey: string, value: string): Promise<void> {
  const properties = new Map([['value', { type: 'String', value } as const]]);
  const operations = [{ kind: 'upsert', rowKey, properties } as const];
  await store.commit({ table: 'Configuration', partitionKey: 'Configuration', operations });
}

describe('a getter', () => {
  test('is typed by the definition', async () => {
    const configuration = await loaded();
    expectTypeOf(configuration.get('Region')).toEqualTypeOf<string>();
    expectTypeOf(configuration.get('Customer.Queue')).toEqualTypeOf<string>();
    expectTypeOf(configuration.get('Mode')).toEqualTypeOf<'full' | 'partial'>();
    expectTypeOf(configuration.get('Count')).toEqualTypeOf<number>();
    expectTypeOf(configuration.get('Key')).toEqualTypeOf<Secret>();
    expectTypeOf(configuration.get('IsOpen')).toEqualTypeOf<boolean | undefined>();
    expectTypeOf(configuration.get('Depends')).toEqualTypeOf<string | undefined>();
    expectTypeOf(configuration.get('Limits')).toEqualTypeOf<Map<string, number> | undefined>();
    // @ts-expect-error -- there is no such setting.
    expect(() => configuration.get('Region.Nmae')).toThrow('no setting');
  });

  test('gives what the rows say, and the default where there is none', async () => {
    const configuration = await loaded({
      Count: '7',
      IsOpen: 'false',
      Limits: '[{"name":"a","max":1}]',
    });
    expect(configuration.get('Count')).toBe(7);
    expect(configuration.get('IsOpen')).toBe(false);
    expect(configuration.get('Limits')).toEqual(new Map([['a', 1]]));
    expect(configuration.get('Key').reveal()).toBe('k-1');
    expect(configuration.get('Customer.Queue')).toBe('customer');
    expect(configuration.get('Sweep.IntervalMs')).toBe(1_000);
    expect(configuration.get('Depends')).toBeUndefined();
  });

  test('reads a row whose column has another type as it looks', async () => {
    await seedConfiguration({ store, definitions: settings, values: GOOD });
    const properties = new Map([['value', { type: 'Int32', value: 9 } as const]]);
    const operations = [{ kind: 'insert', rowKey: 'Count', properties } as const];
    await store.commit({ table: 'Configuration', partitionKey: 'Configuration', operations });
    const configuration = create();
    await configuration.load();
    expect(configuration.get('Count')).toBe(9);
  });

  test('before the configuration was loaded is a broken invariant', () => {
    expect(() => create().get('Region')).toThrow('before the configuration was loaded');
  });
});

describe('a load', () => {
  test('creates the table, and names everything that is missing', async () => {
    const error = await failureOf(create().load());
    expect(error).toMatchObject({ code: 'CONFIGURATION_INVALID', retryable: false });
    expect(error.message).toContain('2 settings are wrong');
    expect(error.message).toContain(
      '- Region (or REGION): is missing. It must be letters. Example: text',
    );
    expect(error.message).toContain('- Key (or KEY): is missing. It must be a key. Example: k-…');
  });

  test('names every malformed setting with its rule and an example, but no secret', async () => {
    await store.createTable('Configuration');
    const rows = {
      Region: 'E1',
      Key: 'hush',
      Count: '17',
      'Sweep.IntervalMs': '1s',
      IsOpen: 'yes',
    };
    for (const [name, value] of Object.entries(rows)) await setRow(name, value);
    await setRow('Mode', 'half');
    await setRow('Limits', '[{"name":"a"}]');
    const error = await failureOf(create().load());
    expect(error.message.split('\n').slice(1)).toEqual([
      '- Mode (or MODE): "half" does not fit. It must be one of full, partial. Example: full',
      '- Region (or REGION): "E1" does not fit. It must be letters. Example: text',
      '- Key (or KEY): does not fit. It must be a key. Example: k-…',
      '- Count (or COUNT): "17" does not fit. It must be a whole number from 1 to 16. Example: 4',
      '- Sweep.IntervalMs (or SWEEP_INTERVAL_MS): "1s" does not fit. It must be milliseconds, 10 to 99999. Example: 1000',
      '- IsOpen (or IS_OPEN): "yes" does not fit. It must be true or false. Example: true',
      expect.stringMatching(/^- Limits .* does not fit: \/0 must have .*max/),
    ]);
    expect(JSON.stringify([error.message, error.details])).not.toContain('hush');
  });

  test('needs some settings only while another one asks for them', async () => {
    await seedConfiguration({ store, definitions: settings, values: { ...GOOD, Mode: 'partial' } });
    const error = await failureOf(create().load());
    expect(error.message).toContain(
      'Depends (or DEPENDS): is missing (needed while Mode is partial)',
    );
    await setRow('Depends', 'there');
    await expect(create().load()).resolves.toBeUndefined();
  });

  test('lets the environment override rows; an empty variable is none', async () => {
    await seedConfiguration({ store, definitions: settings, values: { ...GOOD, Count: '3' } });
    const overrides = { COUNT: '5', CUSTOMER_QUEUE: 'dev', REGION: '' };
    const configuration = create({ overrides });
    await configuration.load();
    expect(configuration.get('Count')).toBe(5);
    expect(configuration.get('Customer.Queue')).toBe('dev');
    expect(configuration.get('Region')).toBe('east');
  });
});

describe('a refresh', () => {
  test('happens in the background once the settings are too old, and not before', async () => {
    const configuration = await loaded();
    const query = vi.spyOn(store, 'query');
    await setRow('Count', '8');
    nowMs += REFRESH_MS - 1;
    expect(configuration.get('Count')).toBe(4);
    expect(query).not.toHaveBeenCalled();
    nowMs += 1;
    for (let times = 0; times < 3; times += 1) configuration.get('Count');
    await expect.poll(() => configuration.get('Count')).toBe(8);
    expect(query).toHaveBeenCalledTimes(1);
  });

  test('can be asked for', async () => {
    const configuration = await loaded();
    await setRow('Customer.Queue', 'other');
    await configuration.refresh();
    expect(configuration.get('Customer.Queue')).toBe('other');
  });

  test('that finds a malformed or missing setting keeps the old value and reports it', async () => {
    await loaded({ Count: '7' });
    const reports: AppError[] = [];
    const configuration = create({ onRefreshFailed: (error) => void reports.push(error) });
    await configuration.load();
    await setRow('Count', 'seven');
    await setRow('Customer.Queue', 'other');
    await setRow('Region', '');
    await configuration.refresh();
    expect(configuration.get('Count')).toBe(7);
    expect(configuration.get('Region')).toBe('east');
    expect(configuration.get('Customer.Queue')).toBe('other');
    expect(reports).toHaveLength(1);
    expect(reports[0]?.message).toMatch(/2 settings are wrong.*Region.*Count/s);
  });

  test('in the background that cannot read the table keeps all values and reports it', async () => {
    await loaded();
    const reports: AppError[] = [];
    // A store without the table, as if it had been deleted.
    const empty = createMemoryTableStore();
    const switching = {
      ...store,
      query: (range) => (isGone ? empty : store).query(range),
    } satisfies TableStore;
    let isGone = false;
    const configuration = create({
      store: switching,
      onRefreshFailed: (error) => void reports.push(error),
    });
    await configuration.load();
    isGone = true;
    nowMs += REFRESH_MS;
    expect(configuration.get('Region')).toBe('east');
    await expect.poll(() => reports).toHaveLength(1);
    expect(reports[0]).toMatchObject({ code: 'TABLE_MISSING' });
    expect(configuration.get('Region')).toBe('east');
    await expect(configuration.refresh()).rejects.toMatchObject({ code: 'TABLE_MISSING' });
  });
});

describe('seeding', () => {
  test('writes what is missing and leaves what is there', async () => {
    const first = { store, definitions: settings, values: { Region: 'east' } };
    expect(await seedConfiguration(first)).toEqual(['Region']);
    const second = { store, definitions: settings, values: { Region: 'west', Key: 'k-1' } };
    expect(await seedConfiguration(second)).toEqual(['Key']);
    const configuration = create();
    await configuration.load();
    expect(configuration.get('Region')).toBe('east');
  });

  test('refuses malformed values before it writes any', async () => {
    const values = { Region: 'east', Count: '0' };
    const seeding = seedConfiguration({ store, definitions: settings, values });
    await expect(seeding).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' });
    const error = await failureOf(create().load());
    expect(error.message).toContain('2 settings are wrong');
  });
});

describe('a setting that had another name', () => {
  test.each<[string, Record<string, string>, Record<string, string>, number]>([
    ['is read under its old name', { 'Old.Count': '7' }, {}, 7],
    ['has its new name win where both are set', { 'Old.Count': '7', Count: '8' }, {}, 8],
    ['takes an empty new name for none', { 'Old.Count': '7', Count: ' ' }, {}, 7],
    ['is overridden under its old name', { 'Old.Count': '7' }, { OLD_COUNT: '9' }, 9],
    ['has the environment win, whatever the names', { Count: '8' }, { OLD_COUNT: '9' }, 9],
    ['has its new variable win', {}, { OLD_COUNT: '9', COUNT: '10' }, 10],
  ])('%s', async (_, rows, overrides, count) => {
    await seedConfiguration({ store, definitions: settings, values: GOOD });
    for (const [name, value] of Object.entries(rows)) await setRow(name, value);
    const configuration = create({ overrides });
    await configuration.load();
    expect(configuration.get('Count')).toBe(count);
  });

  test('is named with its old name where that is malformed', async () => {
    await seedConfiguration({ store, definitions: settings, values: GOOD });
    await setRow('Old.Count', '0');
    const error = await failureOf(create().load());
    expect(error.message).toContain('Count (or COUNT): under its old name Old.Count, "0" does not');
    expect(findOverrideProblems(settings, { OLD_COUNT: '0' })).toEqual([
      expect.stringMatching(/^OLD_COUNT cannot be used: it does not fit, .* setting Count,/),
    ]);
    // The old one does not count beside the new one.
    expect(findOverrideProblems(settings, { OLD_COUNT: '0', COUNT: '1' })).toEqual([]);
  });

  test('is not seeded beside its old name, where it would win', async () => {
    const values = { ...GOOD, Count: '8' };
    await seedConfiguration({ store, definitions: settings, values: { Region: 'east' } });
    await setRow('Old.Count', '7');
    expect(await seedConfiguration({ store, definitions: settings, values })).toEqual(['Key']);
    await setRow('Old.Count', '');
    expect(await seedConfiguration({ store, definitions: settings, values })).toEqual(['Count']);
  });

  test('is found under both, and its old name is told from one that counts no more', () => {
    const textIn = (rows: Record<string, string>) => (name: string) => rows[name];
    const old = { formerName: 'Old.Count', setting: 'Count' };
    expect(findOldNames(settings, textIn({ Count: '8' }))).toEqual([]);
    expect(findOldNames(settings, textIn({ 'Old.Count': '7' }))).toEqual([
      { ...old, counts: true },
    ]);
    expect(findOldNames(settings, textIn({ 'Old.Count': '7', Count: '8' }))).toEqual([
      { ...old, counts: false },
    ]);
    const names = ['Count', 'Old.Count', 'toString', 'Older'];
    expect(names.map((name) => currentNameOf(settings, name))).toEqual([
      'Count',
      'Count',
      undefined,
      undefined,
    ]);
  });
});

test('the four names that are given stay for ever', () => {
  const names = Object.keys(tandemSettings);
  expect(names).toEqual(
    expect.arrayContaining([
      'Customer.Queue',
      'ServiceBusConnection',
      'Customer.DataAccess',
      'RedundancyServiceBusConnection',
    ]),
  );
  // What else is of customers would be wrong for any other entity kind.
  const ofCustomers = names.filter((name) => name.startsWith('Customer.'));
  expect(ofCustomers).toEqual(['Customer.DataAccess', 'Customer.Queue']);
  const formerly = Object.values<SettingDefinition>(tandemSettings).map((one) => one.formerName);
  expect(formerly.filter((name) => name !== undefined)).toEqual([
    'Customer.BucketCount',
    'Customer.Preconditions',
  ]);
});

test('sources are read by their names, by key, signature or identity', () => {
  const parsed = tandemSettings['Tables.Sources'].parse(
    JSON.stringify([
      { name: 'key', connection: 'accountname=shop;AccountKey=a2V5;EndpointSuffix=example.com' },
      { name: 'signed', connection: 'https://shop.table.core.windows.net?sv=1&sig=abc' },
      { name: 'identity', connection: 'https://shop.table.core.windows.net' },
    ]),
  );
  if (parsed.kind !== 'value' || parsed.value === undefined) throw new Error('It was refused.');
  expect([...parsed.value].map(([name, connection]) => [name, connection.reveal()])).toEqual([
    ['key', 'AccountName=shop;AccountKey=a2V5;EndpointSuffix=example.com'],
    [
      'signed',
      'TableEndpoint=https://shop.table.core.windows.net;SharedAccessSignature=sv=1&sig=abc',
    ],
    ['identity', 'https://shop.table.core.windows.net'],
  ]);
  expect(JSON.stringify([...parsed.value.values()])).not.toContain('shop');
});

test.each([
  ['of no account', [{ name: 'shop', connection: 'AccountName=shop' }], '/0/connection'],
  ['named twice', [SOURCE, SOURCE], '/1/name is there twice'],
  ['of no name', [{ ...SOURCE, name: 'a key' }], '/0/name'],
  ['with more than is known', [{ ...SOURCE, key: 'x' }], '/0/key'],
  ['without any', [], 'fewer than 1'],
])('a source %s is refused, and nothing of it repeated', (_, sources, problem) => {
  const parsed = tandemSettings['Tables.Sources'].parse(JSON.stringify(sources));
  expect(parsed).toMatchObject({ kind: 'malformed', problem: expect.stringContaining(problem) });
  expect(JSON.stringify(parsed)).not.toContain('a2V5');
});

test.each([
  ['Customer.Queue', 'CUSTOMER_QUEUE'],
  ['ServiceBusConnection', 'SERVICE_BUS_CONNECTION'],
  ['Readiness.HeartbeatMsMax', 'READINESS_HEARTBEAT_MS_MAX'],
])('the environment calls %s %s', (setting, name) => {
  expect(environmentNameOf(setting)).toBe(name);
});

async function failureOf(work: Promise<unknown>): Promise<AppError> {
  const error: unknown = await work.catch((error: unknown) => error);
  assert(error instanceof Error, 'it must fail');
  return error as AppError;
}
