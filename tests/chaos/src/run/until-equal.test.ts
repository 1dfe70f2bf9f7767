import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { untilEqual } from './until-equal.ts';

/** Nobody listens there. */
const GONE = 'http://127.0.0.1:9';

test('a region that answers nobody when all is healed is named, and the others are judged', async () => {
  const server = createServer((_, response) => void response.end('{"items":[]}'));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const end = await untilEqual(
      { east: `http://127.0.0.1:${port}`, west: GONE },
      { known: [], waitMsMax: 0, signal: new AbortController().signal },
    );
    expect(end.regions.map(({ region }) => region)).toEqual(['east']);
    expect(end.unread).toEqual([{ region: 'west', why: expect.stringContaining('fetch failed') }]);
  } finally {
    server.close();
  }
});
