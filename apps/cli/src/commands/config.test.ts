import { execFileSync } from 'node:child_process';
import { NEWEST_WIRE_VERSION, type PeerProgress, type TableStore } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  CONFIGURATION_TABLE,
  createTableReplicationStatus,
  readConfigurationRow,
  recordBucketCount,
} from '@tandem/storage';
import { emptyTable, MEMORY_BUCKET_COUNT } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';
import { linesOf } from '../testing/lines-of.ts';

const AT = ['--region', 'west'] as const;

/** As a person does who edits the table. */
async function write(store: TableStore, setting: string, text: string): Promise<void> {
  const properties = new Map([['value', { type: 'String' as const, value: text }]]);
  const operations = [{ kind: 'upsert' as const, rowKey: setting, properties }];
  const partitionKey = CONFIGURATION_TABLE;
  await store.commit({ table: CONFIGURATION_TABLE, partitionKey, operations });
}

const OTHER_COUNT = String(MEMORY_BUCKET_COUNT * 2);

describe('B3: tandem config refuses what a start would refuse', () => {
  test.each([
    ['another bucket count than is recorded', 'Tables.BucketCount', OTHER_COUNT, 'records 4'],
    ['a region as its own peer', 'Peer.Region', 'west', '"west" is this region'],
    [
      'the own queue as that of the peer',
      'RedundancyServiceBusConnection',
      'WEST.servicebus.example',
      'has the queue that this region listens to',
    ],
    [
      'peers of which two share a queue',
      'Peers',
      JSON.stringify(
        ['east', 'north'].map((region) => ({ region, connection: 'one.servicebus.example' })),
      ),
      'shares its queue',
    ],
    [
      'a peer that is named twice',
      'Peers',
      JSON.stringify(
        ['a', 'b'].map((host) => ({ region: 'east', connection: `${host}.servicebus.example` })),
      ),
      'named twice',
    ],
    ['a text beyond the rule', 'Tombstone.AgeMs', '1', 'it must be'],
  ])('%s', async (_, setting, text, told) => {
    const { run, regions } = await createCliHarness();
    const before = await readConfigurationRow(regions.west.store, setting);
    for (const apply of [[], ['--apply']]) {
      const refused = await run('config', 'set', setting, text, ...AT, ...apply);
      expect({ code: refused.code, told: refused.err.includes(told) }).toEqual({
        code: 2,
        told: true,
      });
    }
    expect(await readConfigurationRow(regions.west.store, setting)).toBe(before);
    expect(await run('config', 'check', ...AT)).toMatchObject({ code: 0 });
  });

  test.each(['ServiceBusConnection', 'Peer.Region', 'RedundancyServiceBusConnection'])(
    'to take %s away, without which nothing starts',
    async (setting) => {
      const { run, regions } = await createCliHarness();
      const refused = await run('config', 'unset', setting, ...AT, '--apply');
      expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('would not start') });
      expect(await readConfigurationRow(regions.west.store, setting)).toBeDefined();
    },
  );

  test('and sees in a check what someone wrote past it', async () => {
    const { run, regions } = await createCliHarness();
    await write(regions.west.store, 'Tables.BucketCount', OTHER_COUNT);
    const { code, json } = await run('config', 'check', ...AT);
    expect(code).toBe(3);
    expect(String(json['problems'])).toContain(`${OTHER_COUNT} buckets are asked for`);
    const { json: found } = await run('doctor');
    expect(found['findings']).toMatchObject([{ region: 'west', check: 'settings' }]);
    // What is recorded may always be set, and mends it.
    const set = ['config', 'set', 'Tables.BucketCount', String(MEMORY_BUCKET_COUNT), ...AT];
    expect(await run(...set, '--apply')).toMatchObject({ code: 0 });
    expect(await run('config', 'check', ...AT)).toMatchObject({ code: 0 });
    expect(await run('config', 'unset', 'Tables.BucketCount', ...AT, '--apply')).toMatchObject({
      code: 0,
    });
  });

  test('but not one step after the other of what was incomplete before', async () => {
    const { run, regions } = await createCliHarness();
    const { store } = regions.west;
    await emptyTable(store, CONFIGURATION_TABLE);
    await recordBucketCount(store, customerKind, MEMORY_BUCKET_COUNT);
    for (const [setting, text] of [
      ['ServiceBusConnection', 'west.servicebus.example'],
      ['Peer.Region', 'east'],
      ['RedundancyServiceBusConnection', 'east.servicebus.example'],
    ] as const) {
      expect(await run('config', 'check', ...AT)).toMatchObject({ code: 3 });
      const set = await run('config', 'set', setting, text, ...AT, '--apply');
      expect({ setting, code: set.code }).toEqual({ setting, code: 0 });
    }
    expect(await run('config', 'check', ...AT)).toMatchObject({ code: 0 });
  });

  test('checking makes no table', async () => {
    const { run, regions } = await createCliHarness();
    await emptyTable(regions.west.store, CONFIGURATION_TABLE);
    let made = 0;
    regions.west.store.createTable = async () => void (made += 1);
    expect(await run('config', 'check', ...AT)).toMatchObject({ code: 3 });
    expect(made).toBe(0);
  });
});

describe('tandem config unset', () => {
  test('takes a setting away, shows it first, and keeps that in the history', async () => {
    const { run, runWith, regions } = await createCliHarness();
    const { store } = regions.west;
    const set = ['config', 'set', 'Sweep.IntervalMs'];
    const unset = ['config', 'unset', 'Sweep.IntervalMs', ...AT];
    expect(await run(...unset, '--apply')).toMatchObject({ code: 0, json: { applied: false } });
    expect((await runWith({}, ...set, '500', ...AT)).out).toContain('nothing → 500');
    await run(...set, '500', ...AT, '--apply');
    expect(await run(...unset)).toMatchObject({
      json: { applied: false, before: '500', after: null },
    });
    expect(await readConfigurationRow(store, 'Sweep.IntervalMs')).toBe('500');
    expect(await run(...unset, '--apply')).toMatchObject({
      code: 0,
      json: { applied: true, before: '500', after: null },
    });
    expect(await readConfigurationRow(store, 'Sweep.IntervalMs')).toBeUndefined();
    const { json } = await run('config', 'history', ...AT);
    expect(json['changes']).toMatchObject([
      { before: null, after: '500' },
      { before: '500', after: null },
    ]);
    expect((await runWith({}, 'config', 'history', ...AT)).out).toContain('(unset)');
    expect(await run('config', 'unset', 'Nonsense', ...AT)).toMatchObject({ code: 2 });
  });

  test('I19: takes nothing away that someone else sets meanwhile, and shows no secret', async () => {
    const { run, runWith, regions } = await createCliHarness();
    const { store } = regions.west;
    await run('config', 'set', 'Sweep.IntervalMs', '500', ...AT, '--apply');
    store.beforeCommit(async () => {
      store.beforeCommit(() => undefined);
      await write(store, 'Sweep.IntervalMs', '700');
    });
    expect(await run('config', 'unset', 'Sweep.IntervalMs', ...AT, '--apply')).toMatchObject({
      code: 1,
      json: { error: { code: 'WRITE_CONTENDED' } },
    });
    expect(await readConfigurationRow(store, 'Sweep.IntervalMs')).toBe('700');
    const args = ['config', 'set', 'ServiceBusConnection', 'other.servicebus.example', ...AT];
    for (const shown of [await runWith({}, ...args), await run(...args)]) {
      expect(shown.out).toContain('(secret)');
      expect(shown.out).not.toContain('servicebus.example');
    }
  });
});

describe('tandem config', () => {
  test('gets settings with their defaults, and shows no secret', async () => {
    const { run } = await createCliHarness();
    const { json } = await run('config', 'get', ...AT);
    const settings = json['settings'] as { setting: string; value: string; isSet: boolean }[];
    const valueOf = (name: string) => settings.find(({ setting }) => setting === name);
    expect(valueOf('Peer.Region')).toMatchObject({ value: 'east', isSet: true });
    expect(valueOf('Sweep.IntervalMs')).toMatchObject({ isSet: false });
    expect(JSON.stringify(json)).not.toContain('servicebus.example');
    expect(await run('config', 'get', 'Nonsense', ...AT)).toMatchObject({ code: 2 });
  });

  test('sets one after checking it, and keeps who did and what was before', async () => {
    const { run } = await createCliHarness();
    const set = ['config', 'set', 'Sweep.IntervalMs'];
    expect(await run(...set, 'soon', ...AT, '--apply')).toMatchObject({ code: 2 });
    expect(await run(...set, '500', ...AT)).toMatchObject({ json: { applied: false } });
    expect(await run('config', 'history', ...AT)).toMatchObject({ json: { changes: [] } });
    await run(...set, '500', ...AT, '--apply');
    await run(...set, '700', ...AT, '--apply');
    const { json } = await run('config', 'history', 'Sweep.IntervalMs', ...AT);
    expect(json['changes']).toMatchObject([
      { before: null, after: '500' },
      { before: '500', after: '700' },
    ]);
    const got = await run('config', 'get', 'Sweep.IntervalMs', ...AT);
    expect(got.json['settings']).toMatchObject([{ value: '700', isSet: true }]);
  });

  test('keeps secrets out of the history, and takes them from the environment', async () => {
    const harness = await createCliHarness();
    const environment = { TANDEM_VALUE: 'other.servicebus.example', USER: 'ada' };
    const inventory = { TANDEM_REGIONS: harness.inventory };
    const args = ['config', 'set', 'ServiceBusConnection', '-', ...AT, '--apply'];
    const io = { environment: { ...environment, ...inventory } };
    expect(await harness.runWith(io, '--json', ...args)).toMatchObject({ code: 0 });
    const { out, json } = await harness.run('config', 'history', ...AT);
    expect(json['changes']).toMatchObject([{ by: 'ada', before: '(secret)', after: '(secret)' }]);
    expect(out).not.toContain('other.servicebus');
  });

  test('checks what would keep the services from starting', async () => {
    const { run, regions } = await createCliHarness();
    expect(await run('config', 'check', ...AT)).toMatchObject({ code: 0, json: { problems: [] } });
    await write(regions.west.store, 'Peer.Region', 'west');
    const { code, json } = await run('config', 'check', ...AT);
    expect(code).toBe(3);
    expect(String(json['problems'])).toContain('"west" is this region');
  });
});

describe('what tandem config says to a person', () => {
  const SETTING = 'Sweep.IntervalMs';

  test('is each step of a change, before it and after it, and who made it', async () => {
    const { runWith, inventory } = await createCliHarness();
    const say = async (...args: readonly string[]): Promise<readonly string[]> =>
      linesOf((await runWith({}, 'config', ...args, ...AT)).out.trimEnd());
    expect(await say('history')).toEqual(['Nothing was changed with this command.']);
    expect(await say('unset', SETTING)).toEqual([`${SETTING} is not set in west.`]);
    expect(await say('set', SETTING, '500')).toEqual([
      `Would set ${SETTING} in west: nothing → 500. Its services read it by themselves within a minute. Run it ` +
        'again with --apply.',
    ]);
    expect(await say('set', SETTING, '500', '--apply')).toEqual([
      `Set ${SETTING} in west: nothing → 500. Its services read it by themselves within a minute.`,
    ]);
    expect(await say('get', SETTING)).toEqual(['setting | value', `${SETTING} | 500`]);
    expect((await say('unset', SETTING))[0]).toContain(
      `Would unset ${SETTING} in west: 500 → nothing.`,
    );
    const environment = { TANDEM_REGIONS: inventory, USER: 'ada' };
    const unset = ['config', 'unset', SETTING, ...AT, '--apply'];
    expect((await runWith({ environment }, ...unset)).out).toBe(
      `Unset ${SETTING} in west: 500 → nothing. Its services read it by themselves within a minute.\n`,
    );
    const [head, first, second] = await say('history', SETTING);
    expect(head).toBe('at | by | setting | before | after');
    // Without a name of the system, the run itself stands for whoever made it.
    expect(first).toMatch(/^2026-\S+Z \| cli-\w+ \| Sweep.IntervalMs \| {2}\| 500$/);
    expect(second).toMatch(/^2026-\S+Z \| ada \| Sweep.IntervalMs \| 500 \| \(unset\)$/);
    expect(await say('get', SETTING)).toEqual(['setting | value', `${SETTING} | 1000 | default`]);
    expect(await say('check')).toEqual(['The settings of west are well.']);
  });

  test('is in JSON what was and what would be, with null for nothing', async () => {
    const { run } = await createCliHarness();
    const at = { region: 'west', setting: SETTING };
    expect((await run('config', 'unset', SETTING, ...AT)).json).toMatchObject({
      applied: false,
      ...at,
    });
    expect((await run('config', 'set', SETTING, '500', ...AT)).json).toMatchObject({
      applied: false,
      ...at,
      before: null,
      after: '500',
    });
    const applied = await run('config', 'set', SETTING, '500', ...AT, '--apply');
    expect(applied.json).toMatchObject({
      applied: true,
      ...at,
      before: null,
      after: '500',
      by: expect.stringMatching(/^cli-/),
      atMs: expect.any(Number),
    });
    const unset = await run('config', 'unset', SETTING, ...AT, '--apply');
    expect(unset.json).toMatchObject({ applied: true, ...at, before: '500', after: null });
    const got = await run('config', 'get', SETTING, ...AT);
    expect(got.json).toMatchObject({
      region: 'west',
      settings: [{ setting: SETTING, value: '1000', isSet: false }],
    });
    const none = await run('config', 'get', 'Regions.Former', ...AT);
    expect(none.json['settings']).toEqual([
      { setting: 'Regions.Former', value: null, isSet: false },
    ]);
  });

  test('is the rule and an example where a value is refused, and all settings where a name is', async () => {
    const { run } = await createCliHarness();
    const refused = await run('config', 'set', SETTING, '1', ...AT);
    expect(refused.err).toContain('it must be milliseconds, 10 to 3600000, for example 1000.');
    for (const asked of [['get'], ['history'], ['set'], ['unset']]) {
      const value = asked[0] === 'set' ? ['1'] : [];
      const unknown = await run('config', ...asked, 'Nonsense', ...value, ...AT);
      expect(unknown.code).toBe(2);
      expect(unknown.err).toContain(
        'There is no setting "Nonsense"; there is Customer.DataAccess, ',
      );
    }
  });
});

describe('a setting under its old name', () => {
  const OLD = 'Customer.Preconditions';
  const NEW = 'Api.Preconditions';

  async function setUp() {
    const harness = await createCliHarness();
    const { store } = harness.regions.west;
    await write(store, OLD, 'required');
    const rows = async () => [
      await readConfigurationRow(store, OLD),
      await readConfigurationRow(store, NEW),
    ];
    return { ...harness, store, rows };
  }

  test('counts, and is called old by a check with its new name, which fails nothing', async () => {
    const { run, runWith } = await setUp();
    const { code, json } = await run('config', 'check', ...AT);
    expect({ code, old: json['old'] }).toEqual({
      code: 0,
      old: [{ formerName: OLD, setting: NEW, counts: true }],
    });
    const { out } = await runWith({}, 'config', 'check', ...AT);
    expect(out).toContain(`${OLD} is an old name, and still read: set ${NEW}`);
    for (const name of [OLD, NEW]) {
      const got = await run('config', 'get', name, ...AT);
      expect(got.json['settings']).toEqual([
        { setting: NEW, value: 'required', isSet: true, oldName: OLD },
      ]);
    }
    expect((await runWith({}, 'config', 'get', ...AT)).out).toMatch(
      /Api\.Preconditions +│ required +│ set as Customer\.Preconditions/,
    );
  });

  test('is set under its new one, which wins, and has one history', async () => {
    const { run, runWith, rows } = await setUp();
    const set = await run('config', 'set', OLD, 'optional', ...AT, '--apply');
    expect(set).toMatchObject({ code: 0, json: { setting: NEW, before: null, after: 'optional' } });
    expect(await rows()).toEqual(['required', 'optional']);
    const got = await run('config', 'get', ...AT);
    expect(got.json['settings']).toContainEqual({ setting: NEW, value: 'optional', isSet: true });
    expect(await run('config', 'check', ...AT)).toMatchObject({
      code: 0,
      json: { old: [{ formerName: OLD, counts: false }] },
    });
    const { out } = await runWith({}, 'config', 'check', ...AT);
    expect(out).toContain(`${OLD} is an old name, and does not count beside ${NEW}: unset it.`);
    await run('config', 'unset', OLD, ...AT, '--apply');
    expect(await rows()).toEqual([undefined, 'optional']);
    expect(await run('config', 'check', ...AT)).toMatchObject({ json: { old: [] } });
    for (const name of [OLD, NEW]) {
      const { json } = await run('config', 'history', name, ...AT);
      expect(json['changes']).toMatchObject([
        { setting: NEW, after: 'optional' },
        { setting: OLD, before: 'required', after: null },
      ]);
    }
  });

  test('is checked as the new one', async () => {
    const { run, store, rows } = await setUp();
    expect(await run('config', 'set', OLD, 'perhaps', ...AT, '--apply')).toMatchObject({ code: 2 });
    await write(store, 'Customer.BucketCount', OTHER_COUNT);
    // It would count at once.
    const unset = ['config', 'unset', 'Tables.BucketCount', ...AT, '--apply'];
    expect(await run(...unset)).toMatchObject({ code: 2 });
    await write(store, 'Tables.BucketCount', '');
    expect(await run('config', 'check', ...AT)).toMatchObject({ code: 3 });
    expect(await run('config', 'unset', NEW, ...AT)).toMatchObject({ json: { applied: false } });
    expect(await rows()).toEqual(['required', undefined]);
  });
});

describe('settings that only the environment of the services has', () => {
  const beat = ({ regions }: CliHarness) =>
    createTableReplicationStatus(regions.west).beat({
      nowMs: regions.clock.nowMs(),
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: [{ peer: 'east', passedMs: regions.clock.nowMs(), isReachable: true }],
    });

  test('are not called missing while the services run with them', async () => {
    const harness = await createCliHarness();
    const { store } = harness.regions.west;
    await emptyTable(store, CONFIGURATION_TABLE);
    await recordBucketCount(store, customerKind, MEMORY_BUCKET_COUNT);
    expect(await harness.run('config', 'check', ...AT)).toMatchObject({ code: 3 });
    await beat(harness);
    expect(await harness.run('config', 'check', ...AT)).toMatchObject({
      code: 0,
      json: { problems: [], elsewhere: ['ServiceBusConnection', 'Peers'] },
    });
    const { json } = await harness.run('doctor');
    const checks = (json['findings'] as { check: string }[]).map(({ check }) => check);
    expect(checks).not.toContain('settings');
  });

  test('do not hide what is wrong in the table', async () => {
    const harness = await createCliHarness();
    await beat(harness);
    await write(harness.regions.west.store, 'Peer.Region', 'west');
    const { code, json } = await harness.run('config', 'check', ...AT);
    expect({ code, elsewhere: json['elsewhere'] }).toEqual({ code: 3, elsewhere: [] });
  });
});

describe('tandem config release', () => {
  const GIVEN = {
    CUSTOMER_DATA_ACCESS: 'multi-region',
    CUSTOMER_QUEUE: 'customer',
    SERVICE_BUS_CONNECTION: 'west.servicebus.example',
    PEER_REGION: 'east',
    REDUNDANCY_SERVICE_BUS_CONNECTION: 'east.servicebus.example',
  };

  async function setUp() {
    const harness = await createCliHarness();
    const { store } = harness.regions.west;
    const release = (given: Record<string, string>, ...args: readonly string[]) => {
      const environment = { TANDEM_REGIONS: harness.inventory, TANDEM_RELEASE: 'one', ...given };
      return harness.runWith({ environment }, '--json', 'config', 'release', ...AT, ...args);
    };
    return { ...harness, store, release };
  }

  test('writes what the environment gives, all at once, with who, and shows it before', async () => {
    const { run, release, store } = await setUp();
    const given = { ...GIVEN, SWEEP_INTERVAL_MS: '500', READINESS_LAG_MS_MAX: '20000' };
    const planned = await release(given);
    expect(planned.json).toMatchObject({ applied: false });
    expect(planned.out).not.toContain('servicebus.example');
    expect(await readConfigurationRow(store, 'Sweep.IntervalMs')).toBeUndefined();
    let commits = 0;
    store.beforeCommit(() => void (commits += 1));
    expect((await release(given, '--apply')).json['changes']).toMatchObject(
      expect.arrayContaining([
        { setting: 'Sweep.IntervalMs', before: null, after: '500', takesEffect: 'now' },
        { setting: 'Readiness.LagMsMax', before: null, after: '20000', takesEffect: 'restart' },
      ]),
    );
    expect(commits).toBe(1);
    const { json } = await run('config', 'history', 'Sweep.IntervalMs', ...AT);
    expect(json['changes']).toMatchObject([{ by: 'release one', after: '500' }]);
    expect((await release(given, '--apply')).json).toMatchObject({ changes: [] });
  });

  test('takes away what the release before gave, and nothing that a person set since', async () => {
    const { run, release, store } = await setUp();
    const given = { ...GIVEN, SWEEP_INTERVAL_MS: '500', SWEEP_GRACE_MS: '500' };
    await release(given, '--apply');
    await run('config', 'set', 'Sweep.GraceMs', '700', ...AT, '--apply');
    await release(GIVEN, '--apply');
    expect(await readConfigurationRow(store, 'Sweep.IntervalMs')).toBeUndefined();
    expect(await readConfigurationRow(store, 'Sweep.GraceMs')).toBe('700');
  });

  test('of two releases at once one wins whole: what the other decided by is not so any more', async () => {
    const { release, store } = await setUp();
    await release({ ...GIVEN, SWEEP_GRACE_MS: '100' }, '--apply');
    let isFirst = true;
    store.beforeCommit(async () => {
      if (!isFirst) return;
      isFirst = false;
      // Another release, or a person.
      await write(store, 'Sweep.GraceMs', '200');
    });
    // Of Sweep.GraceMs it changes nothing, and would leave what the other has set.
    const beaten = await release(
      { ...GIVEN, SWEEP_GRACE_MS: '100', READINESS_LAG_MS_MAX: '20000' },
      '--apply',
    );
    expect(beaten).toMatchObject({ code: 1, err: expect.stringContaining('Run it again') });
    expect(await readConfigurationRow(store, 'Readiness.LagMsMax')).toBeUndefined();
    const again = await release(
      { ...GIVEN, SWEEP_GRACE_MS: '100', READINESS_LAG_MS_MAX: '20000' },
      '--apply',
    );
    expect(again.code).toBe(0);
    expect(await readConfigurationRow(store, 'Sweep.GraceMs')).toBe('100');
  });

  test('leaves what a person wrote past this command, or under a name like that of a release', async () => {
    const { run, runWith, inventory, release, store } = await setUp();
    await release({ ...GIVEN, SWEEP_INTERVAL_MS: '500', SWEEP_GRACE_MS: '500' }, '--apply');
    await write(store, 'Sweep.IntervalMs', '900');
    const environment = { TANDEM_REGIONS: inventory, USER: 'release manager' };
    const set = ['config', 'set', 'Sweep.GraceMs', '700', ...AT, '--apply'] as const;
    await runWith({ environment }, ...set);
    await release(GIVEN, '--apply');
    expect(await readConfigurationRow(store, 'Sweep.IntervalMs')).toBe('900');
    expect(await readConfigurationRow(store, 'Sweep.GraceMs')).toBe('700');
    const { json } = await run('config', 'history', 'Sweep.GraceMs', ...AT);
    expect(json['changes']).toMatchObject([{ by: 'release one' }, { by: 'user release manager' }]);
  });

  test('says nothing of a secret, whatever is wrong with it or beside it', async () => {
    const { run, release } = await setUp();
    const connection = (namespace: string) =>
      `Endpoint=sb://${namespace}.servicebus.example/;SharedAccessKeyName=n;SharedAccessKey=hush`;
    const given = {
      ...GIVEN,
      SERVICE_BUS_CONNECTION: connection('west'),
      REDUNDANCY_SERVICE_BUS_CONNECTION: connection('east'),
    };
    const said = [
      await release({ ...given, REDUNDANCY_SERVICE_BUS_CONNECTION: connection('west') }, '--apply'),
      await release({ ...given, SERVICE_BUS_CONNECTION: `hush;${connection('west')}` }, '--apply'),
      await release({ ...given, PEERS: `[{"region":"east","connection":"hush"},` }, '--apply'),
      await release({ ...given, PEERS: `[{"region":"east","konnection":"hush"}]` }, '--apply'),
      await release(given, '--apply'),
      await release({ ...GIVEN }, '--apply'),
      await run('config', 'history', ...AT),
    ];
    expect(said.map(({ code }) => code)).toEqual([2, 2, 2, 2, 0, 0, 0]);
    for (const { out, err } of said) expect(`${out}${err}`).not.toContain('hush');
  });

  test('takes away the peers of more regions, which would win over the one', async () => {
    const { release, store } = await setUp();
    const listed = [{ region: 'north', connection: 'north.servicebus.example' }];
    await write(store, 'Peers', JSON.stringify(listed));
    await release(GIVEN, '--apply');
    expect(await readConfigurationRow(store, 'Peers')).toBeUndefined();
    expect((await release(GIVEN, '--apply')).json).toMatchObject({ changes: [] });
  });

  test.each([
    ['a text beyond its rule', { SWEEP_INTERVAL_MS: 'soon' }, 'SWEEP_INTERVAL_MS cannot be used'],
    ['itself as its peer', { PEER_REGION: 'west' }, '"west" is this region'],
    ['another bucket count', { TABLES_BUCKET_COUNT: OTHER_COUNT }, 'records 4'],
    ['a wire version that nobody reads yet', { MESSAGES_WIRE_VERSION: '8' }, 'Upgrade that first'],
  ])('B3: refuses %s, and writes nothing', async (_, change, told) => {
    const { release, store } = await setUp();
    const refused = await release({ ...GIVEN, SWEEP_GRACE_MS: '1', ...change }, '--apply');
    expect({ code: refused.code, told: refused.err.includes(told) }).toEqual({
      code: 2,
      told: true,
    });
    expect(await readConfigurationRow(store, 'Sweep.GraceMs')).toBeUndefined();
  });

  test('B3: refuses to release a build that does not read what the region already writes', async () => {
    const { release, store } = await setUp();
    await write(store, 'Messages.WireVersion', String(NEWEST_WIRE_VERSION + 1));
    const refused = await release({ ...GIVEN, SWEEP_GRACE_MS: '1' }, '--apply');
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringContaining('Messages.WireVersion'),
    });
    expect(await readConfigurationRow(store, 'Sweep.GraceMs')).toBeUndefined();
  });

  test('B3: takes nothing for given by the environment of services that run, for the next have the table alone', async () => {
    const { release, store, regions } = await setUp();
    await emptyTable(store, CONFIGURATION_TABLE);
    await recordBucketCount(store, customerKind, MEMORY_BUCKET_COUNT);
    await createTableReplicationStatus(regions.west).beat({
      nowMs: regions.clock.nowMs(),
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: [{ peer: 'east', passedMs: regions.clock.nowMs(), isReachable: true }],
    });
    const { SERVICE_BUS_CONNECTION: _left, ...rest } = GIVEN;
    expect(await release(rest, '--apply')).toMatchObject({
      code: 2,
      err: expect.stringContaining('ServiceBusConnection'),
    });
  });

  test('refuses an environment that gives nothing, which would take all away', async () => {
    const { release } = await setUp();
    expect(await release({}, '--apply')).toMatchObject({
      code: 2,
      err: expect.stringContaining('gives no setting'),
    });
  });
});

describe('when a setting takes effect', () => {
  test('is said of each change, and that it has none where the environment of the services overrides it', async () => {
    const { run, runWith, regions } = await createCliHarness();
    const said = async (setting: string, text: string) =>
      (await runWith({}, 'config', 'set', setting, text, ...AT, '--apply')).out;
    expect(await said('Sweep.IntervalMs', '500')).toContain('by themselves within a minute');
    expect(await said('Sweep.GraceMs', '500')).toContain('when they are restarted');
    await createTableReplicationStatus(regions.west).beat({
      nowMs: regions.clock.nowMs(),
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: [{ peer: 'east', passedMs: regions.clock.nowMs(), isReachable: true }],
      overriddenSettings: ['Sweep.GraceMs', 'Of.AnotherBuild'],
    });
    expect(await said('Sweep.GraceMs', '700')).toContain('overrides it by SWEEP_GRACE_MS: until');
    const { code, json } = await run('config', 'check', ...AT);
    expect({ code, overridden: json['overridden'] }).toEqual({
      code: 0,
      overridden: ['Sweep.GraceMs'],
    });
  });
});

describe('tandem completion', () => {
  // Bash evaluates what is made for zsh too: there zsh brings what bash has.
  test.each([
    ['bash', ''],
    ['zsh', 'autoload() { :; }; bashcompinit() { :; }'],
  ])('completes commands and options in %s', async (shell, before) => {
    const { runWith } = await createCliHarness();
    const { out, code } = await runWith({}, 'completion', shell);
    expect(code).toBe(0);
    expect(out.includes('bashcompinit')).toBe(shell === 'zsh');
    const cases: readonly [readonly string[], readonly string[]][] = [
      [['re'], ['rebuild-region', 'release-region', 'repair', 'replay']],
      [['conflicts', 'r'], ['restore']],
      [
        ['replay', '--from', 'east', '--bef'],
        ['--before', '--before-archive'],
      ],
      [['replay', 'conflicts', 'rest'], []],
      [['nothing', ''], []],
      ...[[], ['conflicts'], ['conflicts', 'list'], ['replay', '--apply']].flatMap(
        (path): [string[], string[]][] => [
          [[...path, '--he'], ['--help']],
          [[...path, '--js'], ['--json']],
        ],
      ),
    ];
    const asked = cases.map(([words]) => {
      const line = ['tandem', ...words].map((word) => `'${word}'`).join(' ');
      return `COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _tandem; echo "\${COMPREPLY[@]}"`;
    });
    const script = [before, out, ...asked].join('\n');
    const answers = execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\n');
    expect(answers.slice(0, cases.length)).toEqual(cases.map(([, words]) => words.join(' ')));
  });

  test('tells fish which words and options follow which command', async () => {
    const { runWith } = await createCliHarness();
    const lines = (await runWith({}, 'completion', 'fish')).out.trimEnd().split('\n');
    const inConflicts = '__fish_seen_subcommand_from conflicts';
    for (const line of [
      "complete -c tandem -f -n '__fish_use_subcommand' -a replay",
      "complete -c tandem -n '__fish_use_subcommand' -l json",
      `complete -c tandem -f -n '${inConflicts}' -a restore`,
      `complete -c tandem -n '${inConflicts}; and __fish_seen_subcommand_from restore' -l apply`,
    ]) {
      expect(lines).toContain(line);
    }
    expect(new Set(lines).size).toBe(lines.length);
  });

  test('knows other shells, and none that is not one', async () => {
    const { runWith } = await createCliHarness();
    expect((await runWith({}, 'completion', 'zsh')).out).toContain('bashcompinit');
    expect((await runWith({}, 'completion', 'fish')).out).toContain('complete -c tandem');
    expect(await runWith({}, 'completion', 'cmd')).toMatchObject({ code: 2 });
  });
});

describe('I10: a wire version is written only when every region reads it', () => {
  const raise = ['config', 'set', 'Messages.WireVersion', '8', ...AT, '--apply'] as const;
  const beat = (store: TableStore, readsWireVersion: number | undefined) =>
    createTableReplicationStatus({ store }).beat({
      nowMs: 1_000,
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: [],
      ...(readsWireVersion !== undefined && { readsWireVersion }),
    });

  test.each([
    ['does not say what it reads', undefined, 'east does not say which it reads'],
    ['reads none as new', 7, 'east reads up to 7'],
  ])('a region whose build %s keeps it back', async (_, reads, told) => {
    const { run, regions } = await createCliHarness();
    await beat(regions.west.store, 8);
    await beat(regions.east.store, reads);
    const refused = await run(...raise);
    expect(refused.code).toBe(2);
    expect(refused.err).toContain(told);
    expect(refused.err).toContain('Upgrade that first.');
    expect(await readConfigurationRow(regions.west.store, 'Messages.WireVersion')).toBeUndefined();
  });

  test('a region that was started and of which no heartbeat can be read keeps it back, and a new one does not', async () => {
    const { run, regions } = await createCliHarness();
    await beat(regions.west.store, 8);
    expect((await run(...raise)).err).toContain(
      'east was started, and its replicator says nothing',
    );
    await emptyTable(regions.east.store, CONFIGURATION_TABLE);
    expect((await run(...raise)).code).toBe(0);
  });

  test('is raised once all read it, and lowered whatever they say', async () => {
    const { run, regions } = await createCliHarness();
    for (const { store } of [regions.west, regions.east]) await beat(store, 8);
    expect((await run(...raise)).code).toBe(0);
    // As an older build does that takes over the beat.
    await beat(regions.east.store, undefined);
    expect((await run(...raise)).code).toBe(0);
    const lower = await run('config', 'set', 'Messages.WireVersion', '1', ...AT, '--apply');
    expect(lower.code).toBe(0);
    expect((await run(...raise)).err).toContain('east does not say');
  });

  describe('of a release, which reaches its own region alone', () => {
    const NOW_MS = 5_000;

    async function setUp(...peers: readonly PeerProgress[]) {
      return setUpWhere({}, ...peers);
    }

    async function setUpWhere(
      { inTable, overridden }: { readonly inTable?: string; readonly overridden?: boolean },
      ...peers: readonly PeerProgress[]
    ) {
      const harness = await createCliHarness();
      const { store } = harness.regions.west;
      if (inTable !== undefined) await write(store, 'Messages.WireVersion', inTable);
      await createTableReplicationStatus({ store }).beat({
        nowMs: harness.regions.clock.nowMs(),
        ...(overridden === true && { overriddenSettings: ['Messages.WireVersion'] }),
        catchingUpSinceMs: undefined,
        hasBacklog: false,
        peers,
        readsWireVersion: 8,
      });
      const { regions, ...rest } = JSON.parse(harness.inventory);
      const own = regions.filter(({ name }: { name: string }) => name === 'west');
      const environment = {
        TANDEM_REGIONS: JSON.stringify({ ...rest, regions: own }),
        CUSTOMER_DATA_ACCESS: 'multi-region',
        CUSTOMER_QUEUE: 'customer',
        SERVICE_BUS_CONNECTION: 'west.servicebus.example',
        PEER_REGION: 'east',
        REDUNDANCY_SERVICE_BUS_CONNECTION: 'east.servicebus.example',
        MESSAGES_WIRE_VERSION: '8',
      };
      const release = await harness.runWith({ environment }, 'config', 'release', ...AT, '--apply');
      return { ...release, stands: await readConfigurationRow(store, 'Messages.WireVersion') };
    }
    const east = { peer: 'east', isReachable: true, passedMs: NOW_MS - 50 };

    test.each([
      ['reads none as new', { reads: { heardMs: NOW_MS, wireVersion: 7 } }, 'east reads up to 7'],
      ['does not say what it reads', { reads: { heardMs: NOW_MS } }, 'east does not say which'],
      ['was heard by a build that kept no such word', {}, 'east does not say which it reads'],
    ])('a peer that %s keeps it back', async (_, more, told) => {
      const { code, err, stands } = await setUp({ ...east, ...more });
      expect({ code, stands }).toEqual({ code: 2, stands: undefined });
      expect(err).toContain(told);
      expect(err).toContain('Upgrade that first.');
    });

    test('a peer that does not read it keeps it back also where it stands in the table, and the environment overrides that', async () => {
      const peer = { ...east, reads: { heardMs: NOW_MS, wireVersion: 7 } };
      const inTable = '8';
      expect(await setUpWhere({ inTable }, peer)).toMatchObject({ code: 0 });
      expect(await setUpWhere({ inTable, overridden: true }, peer)).toMatchObject({
        code: 2,
        err: expect.stringContaining('east reads up to 7'),
      });
    });

    test('a peer that reads it does not, nor one that never was heard', async () => {
      const north = { peer: 'north', isReachable: false, passedMs: undefined };
      const reads = { heardMs: NOW_MS, wireVersion: 8 };
      expect(await setUp({ ...east, reads }, north)).toMatchObject({ code: 0, stands: '8' });
    });
  });
});
