import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface SwallowingProxy {
  readonly url: string;
  close(): Promise<void>;
}

/** One in so many changes of something that is there. */
const SWALLOW_EVERY = 2;

/** Belong to one connection, or to the text as it was before fetch decoded it. */
const NOT_PASSED = new Set([
  'host',
  'connection',
  'keep-alive',
  'expect',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'accept-encoding',
]);

interface Change {
  readonly method: string;
  readonly url: string;
  readonly body: Buffer;
}

interface Told {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text?: string | undefined;
}

/** What is answered to a change that is not forwarded; undefined where nothing believable can be said. */
export type Lie = (change: Change) => Promise<Told | undefined>;

/** Stands in front of a service and lies: every so often it answers a change as done, and forwards nothing. */
export async function startSwallowingProxy(target: string, lie: Lie): Promise<SwallowingProxy> {
  let seen = 0;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url = '/' } = request;
    const body = await buffer(request);
    const isChange = method === 'PUT' || method === 'PATCH' || method === 'DELETE';
    if (isChange && (seen += 1) % SWALLOW_EVERY === 0) {
      const told = await lie({ method, url: `${target}${url}`, body });
      if (told !== undefined) {
        response.writeHead(told.status, told.headers);
        response.end(told.text);
        return;
      }
    }
    const answer = await fetch(`${target}${url}`, {
      method,
      headers: passed(Object.entries(request.headers)),
      body: body.length === 0 ? null : new Uint8Array(body),
    });
    const text = await answer.text();
    response.writeHead(answer.status, passed(answer.headers));
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

/** Tells the state that would follow. */
export const lieOfCustomer: Lie = async ({ method, url, body }) => {
  const current = await fetch(url);
  const text = await current.text();
  if (current.status !== 200) return undefined;
  const headers = passed(current.headers);
  if (method === 'DELETE') return { status: 204, headers };
  const changed = { ...(JSON.parse(text) as object), ...writtenBy(method, body) };
  return { status: 200, headers, text: JSON.stringify(changed) };
};

/** The answer of the service has nothing but a tag, and a tag is opaque. */
export const lieOfRow: Lie = async () => ({
  status: 204,
  headers: { etag: `W/"datetime'2020-01-01T00%3A00%3A00.000Z'"` },
});

function writtenBy(method: string, body: Buffer): object {
  const leftOut = method === 'PUT' ? { firstName: null, lastName: null, phoneNumber: null } : {};
  return { ...leftOut, ...(JSON.parse(body.toString()) as object) };
}

function passed(
  headers: Iterable<readonly [string, string | readonly string[] | undefined]>,
): Record<string, string> {
  const entries = [...headers].flatMap(([name, value]) =>
    value === undefined || NOT_PASSED.has(name) ? [] : [[name, value.toString()] as const],
  );
  return Object.fromEntries(entries);
}
