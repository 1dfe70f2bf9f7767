import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface SwallowingProxy {
  readonly url: string;
  close(): Promise<void>;
}

/** One in so many changes of a customer that is there. */
const SWALLOW_EVERY = 2;

const PASSED_ON = [
  'content-type',
  'if-match',
  'if-none-match',
  'prefer',
  'idempotency-key',
  'x-tandem-min-version',
];
const PASSED_BACK = ['content-type', 'etag', 'x-tandem-region', 'x-tandem-version', 'location'];

/**
 * Stands in front of an API and lies: every so often it answers a change as done, with the state that
 * would follow, and forwards nothing.
 */
export async function startSwallowingProxy(target: string): Promise<SwallowingProxy> {
  let seen = 0;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url = '/' } = request;
    const body = await buffer(request);
    const isChange = method === 'PUT' || method === 'PATCH' || method === 'DELETE';
    if (isChange && (seen += 1) % SWALLOW_EVERY === 0) {
      const current = await fetch(`${target}${url}`);
      const text = await current.text();
      if (current.status === 200) {
        response.writeHead(method === 'DELETE' ? 204 : 200, headersOf(current));
        const changed = { ...(JSON.parse(text) as object), ...writtenBy(method, body) };
        response.end(method === 'DELETE' ? undefined : JSON.stringify(changed));
        return;
      }
    }
    const answer = await fetch(`${target}${url}`, {
      method,
      headers: pick(PASSED_ON, (name) => request.headers[name]?.toString()),
      body: body.length === 0 ? null : new Uint8Array(body),
    });
    const text = await answer.text();
    response.writeHead(answer.status, headersOf(answer));
    response.end(text);
  };

  const server = createServer((request, response) => {
    // A region that is gone is one that does not answer, here as there.
    handle(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function writtenBy(method: string, body: Buffer): object {
  if (method === 'DELETE') return {};
  const leftOut = method === 'PUT' ? { firstName: null, lastName: null, phoneNumber: null } : {};
  return { ...leftOut, ...(JSON.parse(body.toString()) as object) };
}

function headersOf({ headers }: Response): Record<string, string> {
  return pick(PASSED_BACK, (name) => headers.get(name) ?? undefined);
}

function pick(
  names: readonly string[],
  valueOf: (name: string) => string | undefined,
): Record<string, string> {
  const entries = names.flatMap((name) => {
    const value = valueOf(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(entries);
}
