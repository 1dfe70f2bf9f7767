import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TableStore, TransientError } from '@tandem/core';
import { createTableProof, createTableReplicationStatus } from '@tandem/storage';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Io } from '../../io.ts';
import { type CliHarness, createCliHarness } from '../../testing/cli-harness.ts';
import { createGate, type OpenedConsole, openConsole } from '../../testing/open-console.ts';

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
    expect(textOf(page)).toContain('Proven equal as of 1970-01-01 00:00:01 UTC');
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
      response.end(JSON.stringify({ sinceStart: { relayed: 1 }, build }));
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

test('the plots have what was known, and gaps where nothing was', async () => {
  const harness = await createOwing();
  let isDown = false;
  const opened = await openConsole({ openStore: failing(harness, () => isDown) }, harness);
  await opened.look();
  isDown = true;
  await harness.regions.clock.advance(60_000);
  await opened.look();
  const { plots, times } = (
    await opened.app.inject({ url: '/plots.json', headers: await opened.enter() })
  ).json<{
    times: number[];
    plots: Record<string, { series: { label: string; values: unknown[] }[] }>;
  }>();
  expect(times).toHaveLength(2);
  expect(plots['risk']?.series).toEqual([
    { label: 'east', values: [3, null] },
    { label: 'west', values: [0, 0] },
  ]);
  expect(plots['lag']?.series.map(({ label }) => label)).toEqual(['east → west', 'west → east']);
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
