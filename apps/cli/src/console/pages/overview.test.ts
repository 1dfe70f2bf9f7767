import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TableStore, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  CONFIGURATION_TABLE,
  createRecoveryRegion,
  createTableProof,
  createTableReplicationStatus,
} from '@tandem/storage';
import { MEMORY_BUCKET_COUNT } from '@tandem/storage/testing';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Io } from '../../io.ts';
import { type CliHarness, createCliHarness } from '../../testing/cli-harness.ts';
import {
  createGate,
  keepBeating,
  type OpenedConsole,
  openConsole,
  removeConsoles,
} from '../../testing/open-console.ts';
import { ageText } from '../layout.ts';

afterAll(removeConsoles);

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';
const PROVEN_MS = 1_000;

async function readPage({ app, enter }: OpenedConsole): Promise<string> {
  const { body, statusCode } = await app.inject({ url: '/', headers: await enter() });
  expect(statusCode).toBe(200);
  return body;
}

/** Reads what a person reads of one figure of a region. */
function figureOf(page: string, region: string, name: string): string {
  const [, card = ''] = page.split(`id="region-${region}"`);
  const [, rest = ''] = card.split(`data-figure="${name}">`);
  return textOf(rest.split('</dd>')[0] ?? '');
}

const textOf = (piece: string): string => piece.replaceAll(/<[^>]*>/g, '').trim();

/** Both replicators were heard just now, and have passed each other. */
async function beat({ regions }: CliHarness): Promise<void> {
  const nowMs = regions.clock.nowMs();
  for (const [own, peer] of [
    ['east', 'west'],
    ['west', 'east'],
  ] as const) {
    await createTableReplicationStatus({ store: regions[own].store }).beat({
      nowMs,
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: [{ peer, passedMs: nowMs - 2_000, isReachable: true }],
    });
  }
}

async function createOwing(): Promise<CliHarness> {
  const harness = await createCliHarness();
  const { regions } = harness;
  regions.bus.setDown('west', true);
  for (const last of ['181', '182', '183']) {
    await regions.drive(regions.east.table.put(ID.slice(0, -3) + last, { email: 'a@example.com' }));
  }
  for (const { store } of regions.regions) {
    await createTableProof({ store }).keep({ asOfMs: PROVEN_MS, regions: ['east', 'west'] });
  }
  await beat(harness);
  return harness;
}

const counts: Partial<Io> = { countMessages: async () => ({ waiting: 12, deadLettered: 3 }) };

describe('the first screen', () => {
  test('shows the figures that the commands tell', async () => {
    const harness = await createOwing();
    const opened = await openConsole(counts, harness);
    await opened.look();
    const page = await readPage(opened);
    const { json } = await harness.run('at-risk', '--region', 'east');
    const lost = (json['lost'] as unknown[]).length;
    expect(lost).toBe(3);
    expect(figureOf(page, 'east', 'at-risk')).toBe(`${lost} writes would be lost, 0 late`);
    expect(figureOf(page, 'west', 'at-risk')).toBe('0 writes would be lost, 0 late');
    const status = await harness.runWith(counts, '--json', 'status');
    const [east] = status.json['regions'] as { owedToAll: number; conflicts: number }[];
    expect(figureOf(page, 'east', 'owed')).toBe(`${east?.owedToAll} changes`);
    expect(figureOf(page, 'east', 'waiting')).toBe('12');
    expect(figureOf(page, 'east', 'dead-letters')).toBe('3');
    expect(figureOf(page, 'east', 'conflicts')).toBe(`${east?.conflicts}`);
    expect(figureOf(page, 'east', 'proven-equal')).toBe('1970-01-01 00:00:01 UTC');
    expect(textOf(page)).toContain('The customers are proven equal as of 1970-01-01 00:00:01 UTC');
    expect(textOf(page)).toContain(
      '3 acknowledged writes would be lost if its region vanished now.',
    );
    expect(opened.faults).toEqual([]);
  });

  test('says what runs in a region and which messages it writes, and how old that is', async () => {
    const harness = await createOwing();
    const { regions } = harness;
    const build = { version: '1.2.3<b>', wireVersionMax: 9 };
    const server = createServer((_request, response) => {
      response.end(JSON.stringify({ build }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const replicator = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const inventory = JSON.parse(harness.inventory) as { regions: { name: string }[] };
    const named = inventory.regions.map((one) => ({
      ...one,
      ...(one.name === 'east' ? { replicator } : {}),
    }));
    const environment = { TANDEM_REGIONS: JSON.stringify({ ...inventory, regions: named }) };
    // With a gate time waits, too, for a server that is real.
    const gate = createGate(harness);
    const opened = await openConsole({ ...counts, environment }, harness, { gate });
    await opened.look();
    const first = await readPage(opened);
    expect(figureOf(first, 'east', 'runs')).toBe(
      '1.2.3&lt;b&gt;, which reads messages up to version 9',
    );
    expect(figureOf(first, 'west', 'runs')).toBe('not known');
    const { json } = await harness.run('config', 'get', 'Messages.WireVersion', '--region', 'east');
    const [setting] = json['settings'] as { value: string }[];
    expect(figureOf(first, 'east', 'wire')).toBe(setting?.value);
    server.close();
    server.closeAllConnections();
    await regions.clock.advance(120_000);
    await opened.look();
    expect(figureOf(await readPage(opened), 'east', 'runs')).toMatch(/version 9 2 min old$/);
    expect(opened.faults).toEqual([]);
  });

  test('says of a region that is down since when, and how old its figures are', async () => {
    const harness = await createOwing();
    const { regions } = harness;
    let isDown = false;
    const opened = await openConsole(
      { ...counts, openStore: failing(harness, () => isDown) },
      harness,
    );
    await opened.look();
    isDown = true;
    await regions.clock.advance(30_000);
    await beat(harness);
    await opened.look();
    await regions.clock.advance(95_000);
    const page = await readPage(opened);
    const text = textOf(page);
    expect(text).toContain('Nothing is heard of east.');
    expect(text).toMatch(/The figures are of \d\d:\d\d:\d\d UTC, 2 min old\./);
    expect(figureOf(page, 'east', 'at-risk')).toMatch(
      /^3 writes would be lost, 0 late 2 min old cannot be told now: TABLE_UNAVAILABLE$/,
    );
    expect(text).toContain('east takes no traffic; 1 region left.');
    expect(opened.faults).toEqual([]);
  });

  test('shows the others while one hangs, and never waits for it', async () => {
    const harness = await createOwing();
    const { regions } = harness;
    const never = (): Promise<never> => new Promise(() => undefined);
    const hanging: TableStore = {
      createTable: never,
      get: never,
      query: never,
      timeMs: never,
      commit: never,
    };
    const opened = await openConsole(
      { openStore: (name) => (name === 'memory:west' ? hanging : regions.east.store) },
      harness,
    );
    expect(textOf(await readPage(opened))).toContain('west is being asked.');
    await opened.look();
    const page = await readPage(opened);
    expect(textOf(page)).toContain('The table store of west gave no answer for 10 s');
    expect(figureOf(page, 'east', 'owed')).toBe('3 changes');
    expect(figureOf(page, 'east', 'at-risk')).toContain('without west, out of reach');
    expect(figureOf(page, 'west', 'owed')).toBe('not known');
  });

  test('says what is wrong with an inventory that was edited meanwhile, and keeps what was known', async () => {
    const harness = await createOwing();
    const environment = { TANDEM_REGIONS: harness.inventory };
    const opened = await openConsole({ ...counts, environment }, harness);
    await opened.look();
    environment.TANDEM_REGIONS = '{"version":1,"regions":[{"nam":"east","storage":"a secret"}]}';
    await opened.look();
    const page = await readPage(opened);
    expect(textOf(page)).toContain('TANDEM_REGIONS is no inventory of regions: /regions/0');
    expect(page).not.toContain('a secret');
    expect(figureOf(page, 'east', 'owed')).toBe('3 changes');
    environment.TANDEM_REGIONS = harness.inventory;
    await opened.look();
    expect(textOf(await readPage(opened))).not.toContain('no inventory');
    expect(opened.faults).toEqual([]);
  });

  test('shows how to lose a region that runs here, and nothing of it where none does', async () => {
    const processes = [{ region: 'east', file: "/home/ada's/east.pids" }];
    const page = await readPage(await openConsole({}, undefined, { processes }));
    expect(page).toContain(
      `<code id="lose-east">kill -9 $(cat &#39;/home/ada&#39;\\&#39;&#39;s/east.pids&#39;)</code>`,
    );
    expect(await readPage(await openConsole())).not.toContain('kill');
  });

  test('tells an error of its own, and goes on', async () => {
    const harness = await createOwing();
    const opened = await openConsole(
      {
        openStore: () => {
          throw new TypeError('a fault');
        },
      },
      harness,
    );
    await opened.look();
    expect(textOf(await readPage(opened))).toContain('its terminal shows it');
    expect(opened.faults).not.toEqual([]);
  });
});

/** Answers with what `read` says at the moment; resolves to its address. */
async function serveJson(read: () => object): Promise<string> {
  const server = createServer((_request, response) => void response.end(JSON.stringify(read())));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Ages are read a few seconds after they were made: in the middle of a minute they are told alike. */
const MINUTE_MS = 60_000;
const HALF_MS = 20_000;
const LAG_MS = { west: 3 * MINUTE_MS + HALF_MS, east: 5 * MINUTE_MS + HALF_MS };
const OWED_MS = 7 * MINUTE_MS + HALF_MS;
/** It is measured to the time between two looks. */
const AHEAD_MS = 1_500;
const TRIMMED_MS = Date.UTC(2025, 11, 24, 1, 2, 3);
const CHANGED_MS = Date.UTC(2026, 0, 1, 0, 1, 2);

/** Regions of which every figure is another number, told by their stores, their queues and what runs. */
async function createTelling() {
  const harness = await createCliHarness();
  const { regions } = harness;
  const { east, west, bus, clock } = regions;
  const idOf = (n: number): string => ID.slice(0, -2) + String(n).padStart(2, '0');
  // Four conflicts, which both regions know of, and a fifth that only east has heard of.
  for (const n of [10, 11, 12, 13]) {
    await east.table.put(idOf(n), { email: 'base@example.com', lastName: 'base' });
  }
  await regions.settle();
  for (const n of [10, 11, 12, 13]) {
    await east.table.patch(idOf(n), { lastName: 'of east' });
    await clock.advance(5);
    await west.table.patch(idOf(n), { lastName: 'of west' });
  }
  await regions.settle();
  const [known] = await east.journal.list(customerKind.name, 1);
  await east.journal.accept(known === undefined ? [] : [{ ...known, entityId: idOf(14) }]);
  // Two dead letters and one message that waits, in west; two messages and a dead letter in east.
  const publish = async (from: string, to: string, count: number): Promise<void> =>
    bus.publisherFor(from, to).publish(
      Array.from({ length: count }, (_, n) => ({
        messageId: `${from}-${n}`,
        subject: 'change-set' as const,
        body: new Uint8Array(),
      })),
    );
  const setAside = async (region: string, count: number): Promise<void> => {
    const viewer = bus.viewerFor(region);
    const sent = await viewer.peek('messages', 0n, count);
    await viewer.setAside(new Set(sent.map(({ sequenceNumber }) => sequenceNumber)));
  };
  await publish('east', 'west', 7);
  await setAside('west', 2);
  await publish('west', 'east', 9);
  await setAside('east', 3);
  // Three writes that only east has.
  bus.setDown('west', true);
  for (const n of [21, 22, 23]) {
    await regions.drive(east.table.put(idOf(n), { email: 'a@example.com' }));
  }
  await clock.advance(OWED_MS);
  for (const [region, minute] of [
    [east, 1],
    [west, 2],
  ] as const) {
    const asOfMs = Date.UTC(2026, 0, 1, 0, minute);
    await createTableProof({ store: region.store }).keep({ asOfMs, regions: ['east', 'west'] });
  }
  const { archive } = createRecoveryRegion({
    region: 'east',
    store: east.store,
    kind: customerKind,
    bucketCount: MEMORY_BUCKET_COUNT,
    peers: ['west'],
  });
  await archive.raiseHorizon(customerKind.name, TRIMMED_MS);
  return harness;
}

/** Beats for both replicators until the test ends, that of east with a clock that is ahead. */
function beatUntilOver(harness: CliHarness, applied: Map<string, number>): void {
  const { clock } = harness.regions;
  const over = new AbortController();
  onTestFinished(() => over.abort());
  const beginMs = clock.nowMs();
  keepBeating(harness, {
    signal: over.signal,
    beatOf(own) {
      const [peer, aheadMs] =
        own === 'east' ? (['west', AHEAD_MS] as const) : (['east', 0] as const);
      const passedMs = beginMs - LAG_MS[own as keyof typeof LAG_MS];
      const appliedSets = own === 'west' ? new Map(applied) : new Map();
      if (own === 'west') applied.clear();
      const nowMs = clock.nowMs() + aheadMs;
      return {
        nowMs,
        appliedSets,
        peer: { peer: peer, passedMs, isReachable: own === 'west' },
      };
    },
  });
}

describe('every figure of the first screen', () => {
  test('is what the stores, the queues, the replicators and the traffic manager say', async () => {
    const harness = await createTelling();
    const { regions } = harness;
    const applied = new Map<string, number>();
    const replicator = await serveJson(() => ({
      build: { version: '9.8.7', wireVersionMax: 6 },
    }));
    const trafficManager = await serveJson(() => ({
      probing: { intervalMs: 1, timeoutMs: 2, toleratedFailures: 3, ttlMs: 4 },
      current: 'west',
      endpoints: [{ name: 'east', state: 'degraded' }],
      transitions: [{ at: new Date(CHANGED_MS).toISOString() }],
    }));
    const inventory = JSON.parse(harness.inventory) as { regions: { name: string }[] };
    const named = inventory.regions.map((one) => ({
      ...one,
      ...(one.name === 'east' ? { replicator } : {}),
    }));
    const laneOf = async (region: string, lane: 'messages' | 'dead-letters'): Promise<number> =>
      (await regions.bus.viewerFor(region).peek(lane, 0n, 100)).length;
    const opened = await openConsole(
      {
        environment: { TANDEM_REGIONS: JSON.stringify({ ...inventory, regions: named }) },
        countMessages: async ({ connection }) => {
          const region = connection.split('.')[0] ?? '';
          const waiting = await laneOf(region, 'messages');
          return { waiting, deadLettered: await laneOf(region, 'dead-letters') };
        },
      },
      harness,
      { gate: createGate(harness), trafficManager },
    );
    beatUntilOver(harness, applied);
    await opened.look();
    applied.set('east', 50);
    const westMs = (): number => opened.watch.regions()[1]?.status?.atMs ?? 0;
    const firstMs = westMs();
    await harness.regions.clock.advance(4_000);
    await opened.look();
    const page = await readPage(opened);

    // Read by nothing that the console reads them with.
    const conflictsOf = async (region: 'east' | 'west'): Promise<number> => {
      let count = 0;
      for (const bucket of regions[region].outbox.buckets) {
        for await (const _ of regions[region].journal.scan(customerKind.name, bucket)) count += 1;
      }
      return count;
    };
    const owedBy = async (region: 'east' | 'west'): Promise<number> => {
      let changes = 0;
      for (const bucket of regions[region].outbox.buckets) {
        const { entries } = await regions[region].outbox.scan({ bucket, limit: 100 });
        for (const { set } of entries) changes += set.changes.length;
      }
      return changes;
    };
    const wireOf = async (region: string): Promise<string> => {
      const { json } = await harness.run(
        'config',
        'get',
        'Messages.WireVersion',
        '--region',
        region,
      );
      return (json['settings'] as { value: string }[])[0]?.value ?? '';
    };
    const figuresOf = async (region: 'east' | 'west'): Promise<Record<string, string>> => ({
      waiting: String(await laneOf(region, 'messages')),
      'dead-letters': String(await laneOf(region, 'dead-letters')),
      conflicts: String(await conflictsOf(region)),
      owed: `${await owedBy(region)} changes`,
      wire: await wireOf(region),
    });
    const expected = {
      east: {
        ...(await figuresOf('east')),
        'at-risk': '3 writes would be lost, 0 late',
        clock: expect.stringMatching(/^1\.[456] s ahead of this machine$/) as unknown,
        'proven-equal': '2026-01-01 00:01:00 UTC',
        'archive-from': '2025-12-24 01:02:03 UTC',
        runs: '9.8.7, which reads messages up to version 6',
      },
      west: {
        ...(await figuresOf('west')),
        'at-risk': '0 writes would be lost, 0 late',
        clock: expect.stringMatching(
          /^(within 0\.1 s of|0\.1 s ahead of) this machine$/,
        ) as unknown,
        'proven-equal': '2026-01-01 00:02:00 UTC',
        'archive-from': 'its beginning',
        runs: 'not known',
      },
    };
    expect(expected.east).toMatchObject({
      'dead-letters': '3',
      conflicts: '5',
      owed: '3 changes',
    });
    expect(expected.west).toMatchObject({
      'dead-letters': '2',
      conflicts: '4',
      owed: '0 changes',
    });
    for (const region of ['east', 'west'] as const) {
      const [, card = ''] = page.split(`id="region-${region}"`);
      const [own = ''] = card.split('</section>');
      const names = [...own.matchAll(/data-figure="([^"]+)"/g)].map(([, name = '']) => name);
      const shown = Object.fromEntries(names.map((name) => [name, figureOf(page, region, name)]));
      // A figure that nothing is compared with has no place on the page.
      expect(shown).toEqual(expected[region]);
    }
    expect(directionsOf(page)).toEqual([
      ['From', 'To', 'Lag', 'Owed', 'Oldest owed', 'Peer accepts'],
      ['east', 'west', ageText(LAG_MS.west), '3 changes', ageText(OWED_MS), 'no'],
      ['west', 'east', ageText(LAG_MS.east), '0 changes', 'none', 'yes'],
    ]);
    const text = textOf(page);
    expect(text).toContain('The traffic manager sends clients to west, since 00:01:02 UTC.');
    expect(text).toContain('east: not heard, let through.');
    expect(text).toMatch(
      /The customers are proven equal as of 2026-01-01 00:01:00 UTC, \d+ min ago\./,
    );
    expect(text).toContain('3 acknowledged writes would be lost if its region vanished now.');

    const headers = await opened.enter();
    const { plots } = (await opened.app.inject({ url: '/plots.json', headers })).json<{
      plots: Record<
        string,
        { unit: string; series: { label: string; values: (number | null)[] }[] }
      >;
    }>();
    const newest = (name: string): Record<string, number | null | undefined> =>
      Object.fromEntries(
        (plots[name]?.series ?? []).map(({ label, values }) => [label, values.at(-1)]),
      );
    const agesOf = (name: string): Record<string, string> =>
      Object.fromEntries(
        Object.entries(newest(name)).map(([label, s]) => [label, ageText((s ?? 0) * 1_000)]),
      );
    expect(Object.entries(plots).map(([name, { unit }]) => [name, unit])).toEqual([
      ['lag', 's'],
      ['outbox', 's'],
      ['writes', '/s'],
      ['risk', 'writes'],
    ]);
    expect(agesOf('lag')).toEqual({
      'east → west': ageText(LAG_MS.west),
      'west → east': ageText(LAG_MS.east),
    });
    expect(agesOf('outbox')).toEqual({ 'east → west': ageText(OWED_MS), 'west → east': '0.0 s' });
    expect(newest('writes')).toEqual({
      'east → west': (50 * 1_000) / (westMs() - firstMs),
      'west → east': 0,
    });
    expect(newest('risk')).toEqual({ 'east → west': 3, 'west → east': 0 });
    expect(opened.faults).toEqual([]);
  });
});

/** Reads the table of directions as rows of what a person reads. */
function directionsOf(page: string): string[][] {
  const [, rest = ''] = page.split('id="directions"');
  const [table = ''] = rest.split('</table>');
  return [...table.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row = '']) =>
    [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell = '']) => textOf(cell)),
  );
}

test('the plots have what was known, and gaps where nothing was', async () => {
  const harness = await createOwing();
  let isDown = false;
  const opened = await openConsole({ openStore: failing(harness, () => isDown) }, harness);
  await opened.look();
  isDown = true;
  await harness.regions.clock.advance(5_000);
  await opened.look();
  const { plots, times } = (
    await opened.app.inject({ url: '/plots.json', headers: await opened.enter() })
  ).json<{
    times: number[];
    plots: Record<string, { series: { label: string; values: unknown[] }[] }>;
  }>();
  expect(times).toHaveLength(2);
  expect(plots['risk']?.series).toEqual([
    { label: 'east → west', values: [3, null] },
    { label: 'west → east', values: [0, 0] },
  ]);
  expect(plots['outbox']?.series).toEqual([
    { label: 'east → west', values: [expect.any(Number), null] },
    { label: 'west → east', values: [0, 0] },
  ]);
  for (const { series } of Object.values(plots)) {
    expect(series.map(({ label }) => label)).toEqual(['east → west', 'west → east']);
  }
});

async function readPlots({ app, enter }: OpenedConsole): Promise<Plots> {
  const { plots } = (await app.inject({ url: '/plots.json', headers: await enter() })).json<{
    plots: Record<string, { series: { label: string; values: unknown[] }[] }>;
  }>();
  return (name) =>
    Object.fromEntries(
      (plots[name]?.series ?? []).map(({ label, values }) => [label, values.at(-1)]),
    );
}

/** Returns the newest figure of a plot for each direction. */
type Plots = (name: string) => Readonly<Record<string, unknown>>;

test('the plot of writes is of what the replicators have applied, in each direction', async () => {
  const harness = await createCliHarness();
  const { regions } = harness;
  const opened = await openConsole({}, harness);
  const beatOnce = async (): Promise<void> => {
    for (const { replicator } of regions.regions) await regions.drive(replicator.beatOnce());
  };
  let written = 0;
  const write = async (region: 'east' | 'west', count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      written += 1;
      await regions[region].table.put(ID.slice(0, -2) + String(10 + written), { email: 'a@b.c' });
    }
    await regions.settle();
  };
  await write('west', 1);
  await beatOnce();
  await opened.look();
  expect((await readPlots(opened))('writes')).toEqual({ 'east → west': null, 'west → east': null });
  const times = (): readonly number[] =>
    opened.watch.regions().map(({ status }) => status?.atMs ?? 0);
  const [eastMs = 0, westMs = 0] = times();
  await write('east', 8);
  await write('west', 3);
  await beatOnce();
  await opened.look();
  const passed = times().map((atMs, at) => (atMs - (at === 0 ? eastMs : westMs)) / 1_000);
  expect((await readPlots(opened))('writes')).toEqual({
    'east → west': 8 / (passed[1] ?? 0),
    'west → east': 3 / (passed[0] ?? 0),
  });
});

test('what one peer lacks another may have: at risk is told for each direction', async () => {
  const harness = await createCliHarness('north');
  const { regions } = harness;
  const opened = await openConsole({}, harness);
  regions.bus.setDown('west', true);
  await regions.drive(regions.east.table.put(ID, { email: 'a@example.com' }));
  await regions.drive(regions.east.replicator.sweepOnce());
  await opened.look();
  expect(figureOf(await readPage(opened), 'east', 'at-risk')).toBe(
    '0 writes would be lost, 1 late',
  );
  expect((await readPlots(opened))('risk')).toMatchObject({
    'east → west': 1,
    'east → north': 0,
    'west → east': 0,
  });
});

test('I11: the age of what is owed and dated by nobody is not told as none', async () => {
  const harness = await createCliHarness();
  const { regions } = harness;
  const opened = await openConsole({}, harness);
  await opened.look();
  expect((await readPlots(opened))('outbox')).toEqual({ 'east → west': 0, 'west → east': 0 });
  await regions.east.store.commit({
    table: customerKind.name,
    partitionKey: '00',
    operations: [{ kind: 'upsert', rowKey: '~o~x', properties: new Map() }],
  });
  await regions.clock.advance(1_000);
  await opened.look();
  expect((await readPlots(opened))('outbox')).toEqual({ 'east → west': null, 'west → east': 0 });
  expect((await readPlots(opened))('risk')).toEqual({ 'east → west': 1, 'west → east': 0 });
});

test('I11: where nobody could count what is owed, nothing is said to be the oldest of it', async () => {
  const harness = await createCliHarness();
  const { store } = harness.regions.east;
  await store.commit({
    table: CONFIGURATION_TABLE,
    partitionKey: CONFIGURATION_TABLE,
    operations: [{ kind: 'delete', rowKey: `Recorded.BucketCount.${customerKind.name}` }],
  });
  const opened = await openConsole({}, harness);
  await opened.look();
  expect(opened.watch.regions()[0]?.status?.value.outbox.isComplete).toBe(false);
  expect((await readPlots(opened))('outbox')).toEqual({ 'east → west': null, 'west → east': 0 });
  const [, east = '', west = ''] = (await readPage(opened)).split('<th scope="row">');
  expect(textOf(east)).toMatch(/at least 0 changes\s+not known/);
  expect(textOf(west)).toMatch(/0 changes\s+none/);
});

function failing({ regions }: CliHarness, isDown: () => boolean): Io['openStore'] {
  const down = async (): Promise<never> => {
    if (isDown()) throw new TransientError('TABLE_UNAVAILABLE', 'The tables of east are down.');
    throw new Error('unreachable');
  };
  return (connection) => {
    if (connection !== 'memory:east') return regions.west.store;
    const { store } = regions.east;
    return {
      createTable: (...asked) => (isDown() ? down() : store.createTable(...asked)),
      get: (...asked) => (isDown() ? down() : store.get(...asked)),
      query: (...asked) => (isDown() ? down() : store.query(...asked)),
      timeMs: () => (isDown() ? down() : store.timeMs()),
      commit: (...asked) => (isDown() ? down() : store.commit(...asked)),
    };
  };
}
