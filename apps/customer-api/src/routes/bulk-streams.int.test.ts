import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { EXPORT_PAGE_ROWS, EXPORTS_AT_ONCE_MAX, IMPORTS_AT_ONCE_MAX } from '../http/limits.ts';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';

const UNTIL = { timeout: 30_000, interval: 20 };
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
    await vi.waitFor(() => expect(pagesRead).toBeGreaterThan(before), UNTIL);
    socket.destroy();
    const others = Array.from({ length: EXPORTS_AT_ONCE_MAX }, () => open(EXPORT));
    for (const other of await Promise.all(others)) other.destroy();
    // Every one of them gives its place back.
    await vi.waitFor(async () => {
      const response = await fetch(`${origin()}/customers/export`);
      await response.body?.cancel();
      expect(response.status).toBe(200);
    }, UNTIL);
  });
});

describe('an export whose clients go away before its answer begins', () => {
  it('gives every place back', async () => {
    const { promise, resolve: openGate } = Promise.withResolvers<void>();
    gate = promise;
    const [before, others] = [pagesRead, await connections()];
    const clients = await Promise.all(
      Array.from({ length: EXPORTS_AT_ONCE_MAX }, () => open(EXPORT)),
    );
    await vi.waitFor(() => expect(pagesRead).toBe(before + EXPORTS_AT_ONCE_MAX), UNTIL);
    for (const client of clients) client.destroy();
    await vi.waitFor(async () => expect(await connections()).toBeLessThanOrEqual(others), UNTIL);
    openGate();
    await vi.waitFor(async () => {
      const response = await fetch(`${origin()}/customers/export`);
      await response.body?.cancel();
      expect(response.status).toBe(200);
    }, UNTIL);
  });
});

describe('an import', () => {
  it('keeps the whole lines of a client that goes away in the middle of one, and no half', async () => {
    const whole = JSON.stringify({ customerId: id(5_001), email: 'a@example.com' });
    const lines = Array.from({ length: 400 }, () => whole).join('\n');
    const half = `{"customerId":"${id(5_002)}","email":"b@exa`;
    const socket = await open(IMPORT + chunk(`${lines}\n${half}`));
    await vi.waitFor(async () => {
      expect((await fetch(`${origin()}/customers/${id(5_001)}`)).status).toBe(200);
    }, UNTIL);
    socket.destroy();
    await vi.waitFor(() => {
      expect(test.lines.map(({ event }) => event)).toContain('import-cut-off');
    }, UNTIL);
    expect((await fetch(`${origin()}/customers/${id(5_002)}`)).status).toBe(404);
    expect(test.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('reports while lines still come', async () => {
    const line = JSON.stringify({ customerId: id(5_003), email: 'a@example.com' });
    const socket = await open(IMPORT + chunk(`${line}\n`.repeat(400)));
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    await vi.waitFor(() => expect(answer).toContain('"settledThrough":400'), UNTIL);
    socket.write(`${chunk(`${line}\n`)}0\r\n\r\n`);
    await vi.waitFor(() => expect(answer).toContain('"outcome":"complete"'), UNTIL);
    expect(answer).toContain('"settledThrough":401');
    socket.destroy();
  });

  it('is refused with 503 and Retry-After while as many run as may', async () => {
    const sockets = await Promise.all(
      Array.from({ length: IMPORTS_AT_ONCE_MAX }, () => open(IMPORT)),
    );
    const post = (): Promise<Response> =>
      fetch(`${origin()}/customers/import`, {
        method: 'POST',
        body: '\n',
        headers: { 'content-type': 'application/x-ndjson' },
      });
    await vi.waitFor(async () => {
      const response = await post();
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('5');
    }, UNTIL);
    for (const socket of sockets) socket.destroy();
    await vi.waitFor(async () => expect((await post()).status).toBe(200), UNTIL);
  });
});
