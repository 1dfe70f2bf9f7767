import { type QueueViewer, type TableStore, TransientError } from '@tandem/core';
import { createTableReplicationStatus } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import type { Io } from '../io.ts';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';
/** What an operator is told by when a region hangs, and a moment for what is asked besides. */
const BOUND_MS = 15_000;

function never(): Promise<never> {
  return new Promise(() => undefined);
}

function hangingStore(store: TableStore, from = 0): TableStore {
  let asked = 0;
  const hang = <T>(ask: () => Promise<T>): Promise<T> => {
    asked += 1;
    return asked > from ? never() : ask();
  };
  return {
    createTable: (table) => hang(() => store.createTable(table)),
    get: (...address) => hang(() => store.get(...address)),
    query: (range) => hang(() => store.query(range)),
    timeMs: () => hang(() => store.timeMs()),
    commit: (transaction) => hang(() => store.commit(transaction)),
  };
}

/** West's tables hang from the first request on, or after so many. */
function hangingTables({ regions }: CliHarness, from?: number): Partial<Io> {
  const west = hangingStore(regions.west.store, from);
  return { openStore: (connection) => (connection === 'memory:west' ? west : regions.east.store) };
}

function hangingNamespace({ regions }: CliHarness): Partial<Io> {
  const viewer: QueueViewer = {
    peek: never,
    settle: never,
    replace: never,
    setAside: never,
    close: never,
  };
  return {
    openQueue: ({ connection }) =>
      connection.startsWith('west') ? viewer : regions.bus.viewerFor('east'),
    countMessages: ({ connection }) =>
      connection.startsWith('west') ? never() : Promise.resolve({ waiting: 0, deadLettered: 0 }),
    inspectQueue: ({ connection }) =>
      connection.startsWith('west') ? never() : Promise.resolve([]),
  };
}

async function createOwing(): Promise<CliHarness> {
  const harness = await createCliHarness();
  harness.regions.bus.setDown('west', true);
  await harness.regions.drive(harness.regions.east.table.put(ID, { email: 'a@example.com' }));
  return harness;
}

async function timed(harness: CliHarness, io: Partial<Io>, ...args: readonly string[]) {
  const startedMs = harness.regions.clock.nowMs();
  const outcome = await harness.runWith(io, '--json', ...args);
  const tookMs = harness.regions.clock.nowMs() - startedMs;
  return { ...outcome, isInTime: tookMs <= BOUND_MS, tookMs };
}

describe('B6: of a region whose tables hang', () => {
  test('status says so in time, after what the others answered', async () => {
    const harness = await createOwing();
    const io = hangingTables(harness);
    const { json, isInTime, code } = await timed(harness, io, 'status');
    expect({ code, isInTime }).toEqual({ code: 3, isInTime: true });
    expect(json['regions']).toMatchObject([
      { region: 'east', owedToAll: 1 },
      { region: 'west', ready: false, reasons: [{ code: 'TABLE_UNAVAILABLE' }] },
    ]);
    const { out } = await harness.runWith(hangingTables(harness), 'status');
    expect(out).toContain('The table store of west gave no answer for 10 s');
  });

  test('the others come first, whatever their priority', async () => {
    const harness = await createCliHarness();
    const east = hangingStore(harness.regions.east.store);
    const io: Partial<Io> = {
      openStore: (name) => (name === 'memory:east' ? east : harness.regions.west.store),
    };
    const { out } = await harness.runWith(io, 'status');
    const lines = out.split('\n');
    const lineOf = (text: string): number =>
      lines.findIndex((line) => line.startsWith(`│ ${text}`));
    expect(lineOf('west')).toBeGreaterThan(0);
    expect(lineOf('east')).toBeGreaterThan(lineOf('west'));
  });

  test('at-risk lists what is owed to it, assumes nothing of it, and names it', async () => {
    const harness = await createOwing();
    const { json, isInTime, code } = await timed(
      harness,
      hangingTables(harness),
      'at-risk',
      '--region',
      'east',
    );
    expect({ code, isInTime }).toEqual({ code: 3, isInTime: true });
    expect(json).toMatchObject({
      outOfReach: ['west'],
      lost: [{ id: ID, places: { west: 'not-known' } }],
    });
  });

  test.each([
    ['verify', ['verify']],
    ['at-risk of itself', ['at-risk', '--region', 'west']],
    ['conflicts', ['conflicts', 'list', '--region', 'west']],
    ['config', ['config', 'check', '--region', 'west']],
    ['history', ['history', ID]],
  ])('%s is told in time, by its name', async (_, args) => {
    const harness = await createOwing();
    const { code, err, isInTime } = await timed(harness, hangingTables(harness), ...args);
    expect({ code, isInTime }).toEqual({ code: 4, isInTime: true });
    expect(err).toContain('The table store of west gave no answer');
  });

  test.each([1, 2, 3, 5])('verify is told in time when it hangs after %d answers', async (from) => {
    const harness = await createOwing();
    const outcome = await timed(harness, hangingTables(harness, from), 'verify');
    expect(outcome).toMatchObject({ code: 4, isInTime: true });
  });

  test('doctor examines the others, and waits for it once', async () => {
    const harness = await createOwing();
    for (const from of [0, 1, 3]) {
      const io = hangingTables(harness, from);
      const { code, json, isInTime } = await timed(harness, io, 'doctor');
      expect({ code, isInTime }).toEqual({ code: 3, isInTime: true });
      const found = json['findings'] as { region: string; finding: string }[];
      expect(found.every(({ region }) => region === 'west')).toBe(true);
      expect(found[0]?.finding).toContain('gave no answer for 10 s');
    }
  });

  test('drill says in time what is known, and that it is not safe', async () => {
    const harness = await createOwing();
    for (const region of ['east', 'west']) {
      const io = hangingTables(harness);
      const { json, code, isInTime } = await timed(harness, io, 'drill', '--region', region);
      expect({ code, isInTime }).toEqual({ code: 3, isInTime: true });
      expect(json).toMatchObject({ outOfReach: ['west'] });
    }
    const { out } = await harness.runWith(hangingTables(harness), 'drill', '--region', 'west');
    expect(out).toContain('at least 0 changes');
    expect(out).toContain('west is out of reach: The table store of west gave no answer');
  });

  test('drill is not safe for what nobody could count, though another region is ready', async () => {
    const harness = await createCliHarness();
    const { regions } = harness;
    const nowMs = regions.clock.nowMs();
    await createTableReplicationStatus(regions.east).beat({
      nowMs,
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: [{ peer: 'west', passedMs: nowMs, isReachable: true }],
    });
    const io = hangingTables(harness);
    const { code, json } = await timed(harness, io, 'drill', '--region', 'west');
    expect(json['prediction']).toMatchObject({
      successor: 'east',
      lostChanges: 0,
      isAtLeast: true,
    });
    expect(code).toBe(3);
  });

  test('what an adapter gives up, again and again, is no answer either', async () => {
    const harness = await createCliHarness();
    const { clock, east, west } = harness.regions;
    const slow = new Proxy(west.store, {
      get: () => async () => {
        await clock.sleep(6_000);
        throw new TransientError('TABLE_UNAVAILABLE', 'No answer within 6 s.');
      },
    });
    const io: Partial<Io> = { openStore: (name) => (name === 'memory:west' ? slow : east.store) };
    const outcome = await timed(harness, io, 'verify');
    expect(outcome).toMatchObject({ code: 4, isInTime: true });
    expect(outcome.err).toContain('The table store of west gave no answer');
  });

  test('a round of verify --every is lost, and the next one asks again', async () => {
    const harness = await createCliHarness();
    const { regions } = harness;
    const stop = new AbortController();
    const lines: string[] = [];
    let isHanging = false;
    const west = new Proxy(regions.west.store, {
      get: (store, name) => (isHanging ? never : Reflect.get(store, name)),
    });
    const err = (text: string): void => {
      lines.push(text);
      isHanging = lines.length === 1;
      if (lines.length === 3) stop.abort();
    };
    const io: Partial<Io> = {
      err,
      signal: stop.signal,
      openStore: (name) => (name === 'memory:west' ? west : regions.east.store),
    };
    expect((await harness.runWith(io, '--json', 'verify', '--every', '10s')).code).toBe(0);
    expect(lines[1]).toContain('not compared now: The table store of west gave no answer');
    expect(lines[2]).toContain('different now: 0');
  });

  test('a command that writes waits longer than one that looks', async () => {
    const harness = await createCliHarness();
    const { code, tookMs } = await timed(harness, hangingTables(harness), 'repair', '--apply');
    expect(code).toBe(4);
    expect(tookMs).toBeGreaterThanOrEqual(60_000);
    expect(tookMs).toBeLessThan(65_000);
  });

  test('a store that answers now and then, however slowly, does not hang', async () => {
    const harness = await createCliHarness();
    const { clock, west, east } = harness.regions;
    const slow = new Proxy(west.store, {
      get:
        (store, name: keyof TableStore) =>
        async (...asked: never[]) => {
          await clock.sleep(9_000);
          return (store[name] as (...all: never[]) => Promise<unknown>)(...asked);
        },
    });
    const io: Partial<Io> = {
      openStore: (name) => (name === 'memory:west' ? slow : east.store),
    };
    const { code, tookMs } = await timed(harness, io, 'verify');
    expect(code).toBe(0);
    expect(tookMs).toBeGreaterThan(20_000);
  });
});

describe('B6: of a region whose namespace hangs', () => {
  test.each([
    ['status', ['status'], 3],
    ['at-risk', ['at-risk', '--region', 'east'], 3],
    ['drill', ['drill', '--region', 'east'], 3],
    ['doctor', ['doctor'], 3],
    ['dead-letters', ['dead-letters', 'list', '--region', 'west'], 4],
    ['forget', ['forget', ID], 4],
  ])('%s is told in time', async (_, args, expected) => {
    const harness = await createOwing();
    const io = hangingNamespace(harness);
    const { code, isInTime } = await timed(harness, io, ...args);
    expect({ code, isInTime }).toEqual({ code: expected, isInTime: true });
  });

  test('status shows which queue it is, and all else', async () => {
    const harness = await createOwing();
    const { json } = await timed(harness, hangingNamespace(harness), 'status');
    expect(json['regions']).toMatchObject([
      { region: 'east', inbound: { waiting: 0 }, owedToAll: 1 },
      { region: 'west', inbound: { error: 'BUS_UNAVAILABLE' }, owedToAll: 0 },
    ]);
  });
});

describe('B3: status asks the API of each region', () => {
  async function statusWhere(answers: Readonly<Record<string, boolean | undefined>>) {
    const harness = await createCliHarness();
    const { regions } = harness;
    const nowMs = regions.clock.nowMs();
    for (const [own, peer] of [
      ['east', 'west'],
      ['west', 'east'],
    ] as const) {
      await createTableReplicationStatus(regions[own]).beat({
        nowMs,
        catchingUpSinceMs: undefined,
        hasBacklog: false,
        peers: [{ peer, passedMs: nowMs, isReachable: true }],
      });
    }
    const inventory = JSON.parse(harness.inventory) as {
      regions: { name: string; api?: string }[];
    };
    for (const region of inventory.regions) region.api = `http://${region.name}.example`;
    const io: Partial<Io> = {
      environment: { TANDEM_REGIONS: JSON.stringify(inventory) },
      readReadiness: async (api) => answers[new URL(api).host.replace('.example', '')],
    };
    return {
      json: await harness.runWith(io, '--json', 'status'),
      text: await harness.runWith(io, 'status'),
      drill: await harness.runWith(io, '--json', 'drill', '--region', 'east'),
    };
  }

  test('which is ready when it says so itself', async () => {
    const { json, text, drill } = await statusWhere({ east: true, west: true });
    expect(json).toMatchObject({
      code: 0,
      json: {
        regions: [
          { ready: true, api: 'ready', reasons: [] },
          { ready: true, api: 'ready' },
        ],
      },
    });
    expect(text.out).toContain('says that it is ready');
    expect(drill.json).toMatchObject({ prediction: { successor: 'west' } });
  });

  test.each([
    ['does not answer', undefined, 'silent', 'does NOT answer'],
    ['says that it is not', false, 'unready', 'says that it is NOT ready'],
  ])('which is not when its API %s, whatever its tables say', async (_, west, api, shown) => {
    const { json, text, drill } = await statusWhere({ east: true, west });
    expect(json).toMatchObject({
      code: 3,
      json: {
        regions: [{ ready: true }, { ready: false, api, reasons: [{ kind: `api-${api}` }] }],
      },
    });
    expect(text.out).toContain(shown);
    expect(drill.json).toMatchObject({ prediction: { lostChanges: 0 } });
    expect((drill.json['prediction'] as { successor?: string }).successor).toBeUndefined();
  });
});
