import type { Randomness } from '@tandem/core';
import { RequestDrawer, TABLES, TAG } from '../differential/draw-request.ts';
import { RawClient, type RawRequest, type Server } from '../differential/raw-client.ts';
import { untilAlike } from './compare-regions.ts';

const WAIT_MS_MAX = 60_000;

/**
 * Sends drawn requests to two regions at once, on the same rows, so that they write over each other. Tables are
 * created and stay.
 */
export async function writeInBoth(
  servers: readonly [one: Server, other: Server],
  options: { readonly requests: number; readonly random: Randomness },
): Promise<void> {
  const drawer = new RequestDrawer(options.random);
  const clients = servers.map((server) => new RawClient(server));
  const headers = { accept: 'application/json', 'content-type': 'application/json' };
  try {
    for (const table of TABLES) {
      const body = JSON.stringify({ TableName: table });
      await clients[0]?.send({ method: 'POST', target: '/Tables', headers, body });
    }
    // The other region has them within seconds.
    await untilAlike(...servers, WAIT_MS_MAX);
    for (let sent = 0; sent < options.requests; sent += clients.length) {
      await Promise.all(clients.map((client) => client.send(withoutTags(drawWrite(drawer)))));
    }
  } finally {
    for (const client of clients) client.close();
  }
}

function drawWrite(drawer: RequestDrawer): RawRequest {
  for (;;) {
    const request = drawer.draw();
    const isOfTables = request.target.startsWith('/Tables');
    if (request.method !== 'GET' && !isOfTables) return request;
  }
}

/** Which version a region gave a row last is no matter here. */
function withoutTags({ headers, body, ...request }: RawRequest): RawRequest {
  const given = Object.entries(headers).map(([name, value]) => [name, value.replaceAll(TAG, '*')]);
  return {
    ...request,
    headers: Object.fromEntries(given) as Record<string, string>,
    body: body.replaceAll(TAG, '*'),
  };
}
