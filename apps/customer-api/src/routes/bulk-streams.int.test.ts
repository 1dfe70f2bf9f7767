import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  EXPORT_PAGE_ROWS,
  EXPORTS_PER_CALLER_MAX,
  IMPORTS_PER_CALLER_MAX,
} from '../http/limits.ts';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';

const PAGES = 20;
const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

let test: TestApp;
let port = 0;
let pagesRead = 0;
/** Reading the table waits for it. */
let gate: Promise<void> = Promise.resolve();

beforeAll(async () => {
  const full = await createTestApp();
  test = await createTestApp({
    table: {
      // A table of twenty pages, of which every one is the same.
      list: async (limit, cursor = '0') => {
        pagesRead += 1;
        await gate;
        const page = await full.table.list(limit);
        const next = Number(cursor) + 1;
        return { ...page, cursor: next < PAGES ? String(next) : undefined };
      },
    },
  });
  await Promise.all(
    Array.from({ length: EXPORT_PAGE_ROWS }, (_, n) =>
      full.table.put(id(n), { email: 'a@example.com', firstName: 'x'.repeat(200) }),
    ),
  );
  await test.app.listen({ host: '127.0.0.1', port: 0 });
  port = (test.app.server.address() as AddressInfo).port;
});

afterAll(async () => {
  await test.app.close();
});

const origin = (): string => `http://127.0.0.1:${port}`;

function connections(): Promise<number> {
  const counted = Promise.withResolvers<number>();
  test.app.server.getConnections((_error, count) => counted.resolve(count));
  return counted.promise;
}

async function open(text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

const IMPORT =
  'POST /customers/import HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-ndjson\r\n' +
  'transfer-encoding: chunked\r\n\r\n';
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const EXPORT = 'GET /customers/export HTTP/1.1\r\nhost: a\r\n\r\n';

async function statusOfExport(): Promise<number> {
  const response = await fetch(`${origin()}/customers/export`);
  await response.body?.cancel();
  return response.status;
}

describe('an export', () => {
  it('is announced to HEAD, which reads nothing and has no length to tell', async () => {
    const response = await fetch(`${origin()}/customers/export`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    expect(response.headers.get('content-length')).toBe(null);
  });

  it('has every page, and comes as lines', async () => {
    const response = await fetch(`${origin()}/customers/export`);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = (await response.text()).trimEnd().split('\n');
    expect(lines).toHaveLength(PAGES * EXPORT_PAGE_ROWS);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ customerId: expect.any(String) });
  });

  it('stops reading the table for a client that reads nothing, and ends when it goes away', async () => {
    const before = pagesRead;
    const socket = await open(EXPORT);
    socket.pause();
    await expect.poll(() => pagesRead).toBeGreaterThan(before);
    socket.destroy();
    const others = Array.from({ length: EXPORTS_PER_CALLER_MAX }, () => open(EXPORT));
    for (const other of await Promise.all(others)) other.destroy();
    // Every one of them gives its place back.
    await expect.poll(statusOfExport).toBe(200);
  });
});

describe('an export whose clients go away before its answer begins', () => {
  it('gives every place back', async () => {
    const { promise, resolve: openGate } = Promise.withResolvers<void>();
    gate = promise;
    const [before, others] = [pagesRead, await connections()];
    const clients = await Promise.all(
      Array.from({ length: EXPORTS_PER_CALLER_MAX }, () => open(EXPORT)),
    );
    await expect.poll(() => pagesRead).toBe(before + EXPORTS_PER_CALLER_MAX);
    for (const client of clients) client.destroy();
    await expect.poll(connections).toBeLessThanOrEqual(others);
    openGate();
    await expect.poll(statusOfExport).toBe(200);
  });
});

describe('an import', () => {
  it('keeps the whole lines of a client that goes away in the middle of one, and no half', async () => {
    const whole = JSON.stringify({ customerId: id(5_001), email: 'a@example.com' });
    const lines = Array.from({ length: 400 }, () => whole).join('\n');
    const half = `{"customerId":"${id(5_002)}","email":"b@exa`;
    const socket = await open(IMPORT + chunk(`${lines}\n${half}`));
    const statusOf = async (number: number): Promise<number> =>
      (await fetch(`${origin()}/customers/${id(number)}`)).status;
    await expect.poll(() => statusOf(5_001)).toBe(200);
    socket.destroy();
    await expect.poll(() => test.lines.map(({ event }) => event)).toContain('import-cut-off');
    expect(await statusOf(5_002)).toBe(404);
    expect(test.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('reports while lines still come', async () => {
    const line = JSON.stringify({ customerId: id(5_003), email: 'a@example.com' });
    const socket = await open(IMPORT + chunk(`${line}\n`.repeat(400)));
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    await expect.poll(() => answer).toContain('"settledThrough":400');
    socket.write(`${chunk(`${line}\n`)}0\r\n\r\n`);
    await expect.poll(() => answer).toContain('"outcome":"complete"');
    expect(answer).toContain('"settledThrough":401');
    socket.destroy();
  });

  it('is refused with 503 and Retry-After while as many of its caller run as may', async () => {
    const sockets = await Promise.all(
      Array.from({ length: IMPORTS_PER_CALLER_MAX }, () => open(IMPORT)),
    );
    const post = async (): Promise<readonly [number, string | null]> => {
      const { status, headers } = await fetch(`${origin()}/customers/import`, {
        method: 'POST',
        body: '\n',
        headers: { 'content-type': 'application/x-ndjson' },
      });
      return [status, headers.get('retry-after')];
    };
    await expect.poll(post).toEqual([503, '5']);
    for (const socket of sockets) socket.destroy();
    await expect.poll(post).toEqual([200, null]);
  });
});

describe('A16: a client that keeps a place and hardly moves', () => {
  const PACE = { bytesPerSecondMin: 1_000_000, patienceMs: 300 };
  let slow: TestApp;
  let slowPort = 0;

  beforeAll(async () => {
    const page = await test.table.list(EXPORT_PAGE_ROWS);
    // More than the buffers of a connection hold.
    const list = async () => ({ ...page, cursor: 'on' });
    slow = await createTestApp({ table: { list }, pace: PACE });
    await slow.app.listen({ host: '127.0.0.1', port: 0 });
    slowPort = (slow.app.server.address() as AddressInfo).port;
  });

  afterAll(() => slow.app.close());

  const openSlow = async (text: string): Promise<Socket> => {
    const socket = connect(slowPort, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    socket.write(text);
    return socket;
  };
  const isTakingExports = async (): Promise<boolean> => {
    const response = await fetch(`http://127.0.0.1:${slowPort}/customers/export`);
    await response.body?.cancel();
    return response.status === 200;
  };

  it('loses an export that it reads byte by byte, and others get its place', async () => {
    const sockets = await Promise.all(
      Array.from({ length: EXPORTS_PER_CALLER_MAX }, () => openSlow(EXPORT)),
    );
    for (const socket of sockets) socket.pause();
    const reading = setInterval(() => {
      for (const socket of sockets) socket.read(1);
    }, 50);
    const cutOff = (): number =>
      slow.lines.filter((line) => line['event'] === 'export-too-slow').length;
    await expect.poll(cutOff, { timeout: 20_000 }).toBe(EXPORTS_PER_CALLER_MAX);
    await expect.poll(isTakingExports, { timeout: 20_000 }).toBe(true);
    clearInterval(reading);
    for (const socket of sockets) socket.destroy();
  });

  it('loses an import that it sends byte by byte', async () => {
    const socket = await openSlow(IMPORT);
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    socket.once('close', () => resolve());
    const sending = setInterval(() => socket.write(chunk(' ')), 20);
    await closed;
    clearInterval(sending);
    expect(slow.lines.map((line) => line['event'])).toContain('import-too-slow');
  });
});
