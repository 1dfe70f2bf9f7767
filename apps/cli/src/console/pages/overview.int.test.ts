// The first screen while what stands where a region should be answers otherwise than it does: by real sockets and clients.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openStore } from '@tandem/region';
import { createSystemClock } from '@tandem/service-kit';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { readReadiness } from '../../drill/drill-over-http.ts';
import { createCliHarness } from '../../testing/cli-harness.ts';
import {
  createGate,
  openConsole,
  removeConsoles,
  textOf,
  visitConsole,
} from '../../testing/open-console.ts';

afterAll(removeConsoles);

const KEY = Buffer.from('a key of this test').toString('base64');
const HOSTILE = '<script>alert(1)</script>\u202E';
const TRICKLE_MS = 500;
const LOOK_MS_MAX = 60_000;
/** A machine that does other things may take this; a region that trickles takes twice as long. */
const DRAWN_MS_MAX = 5_000;

type Answer = (response: ServerResponse) => void;

const say =
  (status: number, type: string, body: string | Buffer): Answer =>
  (response) =>
    void response.writeHead(status, { 'content-type': type }).end(body);

const ODATA = 'application/json;odata=minimalmetadata';

const LIES: readonly (readonly [string, Answer])[] = [
  ['a page of a proxy', say(200, 'text/html', `<html>${HOSTILE}</html>`)],
  ['a page of a proxy that has failed', say(502, 'text/html', `<html>${HOSTILE}</html>`)],
  ['half a line of JSON', say(200, ODATA, '{"value":[{"PartitionKey":"')],
  ['JSON of another kind', say(200, ODATA, '{"value":"no list"}')],
  ['rows that are none', say(200, ODATA, '{"value":[null,7,{"PartitionKey":7}]}')],
  [
    'rows of which nothing is what it should be',
    say(200, ODATA, JSON.stringify({ value: [{ PartitionKey: HOSTILE, RowKey: '', Value: {} }] })),
  ],
  ['nothing', say(200, ODATA, '')],
  ['noise', say(200, ODATA, Buffer.from([0xff, 0x00, 0x1b, 0x80]))],
  ['an end in the middle', (response) => void response.socket?.end('HTTP/1.1 2')],
  [
    'a byte now and then, for longer than anybody waits',
    (response) => {
      response.writeHead(200, { 'content-type': ODATA });
      const timer = setInterval(() => response.write(' '), TRICKLE_MS);
      response.on('close', () => clearInterval(timer));
    },
  ],
];

interface Liar {
  readonly address: string;
  /** The first folder of what was asked of it. */
  readonly asked: ReadonlySet<string>;
}

/** Answers everything with the same. */
async function serve(answer: Answer): Promise<Liar> {
  const asked = new Set<string>();
  const server = createServer((request, response) => {
    asked.add(request.url?.split(/[/?]/)[1] ?? '');
    request.resume();
    answer(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

test.each(LIES)(
  'the console shows the others, and what is wrong, while one region and the traffic manager answer with %s',
  async (_, answer) => {
    const harness = await createCliHarness();
    const { regions } = harness;
    const { address, asked } = await serve(answer);
    const east = { name: 'east', storage: 'memory:east', serviceBus: 'east.servicebus.example' };
    const west = {
      ...east,
      name: 'west',
      storage: `DefaultEndpointsProtocol=http;AccountName=west;AccountKey=${KEY};TableEndpoint=${address}/west;`,
      api: address,
      replicator: address,
    };
    const inventory = { version: 1, regions: [east, west], trafficManager: address };
    const opened = await openConsole(
      {
        environment: { TANDEM_REGIONS: JSON.stringify(inventory) },
        clock: createSystemClock(),
        openStore: (connection, timeoutMs) =>
          connection === 'memory:east' ? regions.east.store : openStore(connection, timeoutMs),
        readReadiness,
      },
      harness,
      { gate: createGate(harness), trafficManager: address },
    );
    const looked = opened.look();
    const visitor = await visitConsole(opened);
    // Nobody waits for it to see a page.
    const beginMs = performance.now();
    await visitor.get('/');
    expect(performance.now() - beginMs).toBeLessThan(DRAWN_MS_MAX);
    await looked;
    expect([...asked]).toEqual(expect.arrayContaining(['west', 'status', '_traffic-manager']));
    const page = await visitor.get('/');
    const text = textOf(page);
    // Rows that somebody else wrote are rows: the region is seen, and is not taken for ready.
    expect(text).toMatch(/Nothing is heard of west|west takes no traffic/);
    expect(text).toContain('says nothing of itself');
    expect(text).not.toContain('an error of its own');
    expect(opened.faults).toEqual([]);
    for (const raw of ['<script>alert', '\u202E', '\u001b']) expect(page).not.toContain(raw);
    const [, card = ''] = page.split('id="region-east"');
    expect(textOf(card)).toContain('At risk now 0 writes would be lost');
  },
  LOOK_MS_MAX,
);
