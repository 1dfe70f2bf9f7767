import type { AddressInfo } from 'node:net';
import { closeServer, createSystemClock } from '@tandem/service-kit';
import { describe, expect, it } from 'vitest';
import { createTestApp } from '../testing/create-test-app.ts';

const ID = '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
const clock = createSystemClock();

async function startWithSlowRead() {
  const reading = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const events: string[] = [];
  const log = ({ event }: { readonly event: string }): void => void events.push(event);
  const { app } = await createTestApp({
    table: {
      get: async () => {
        reading.resolve();
        await release.promise;
        return undefined;
      },
    },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const answer = fetch(`${origin}/customers/${ID}`).then(
    (response) => response.status,
    () => 'cut off',
  );
  await reading.promise;
  const logger = { debug: log, info: log, warn: log, error: log };
  const close = (graceMs: number): Promise<void> => closeServer(app, { clock, logger, graceMs });
  return { origin, answer, release, close, events };
}

describe('closing the server', () => {
  it('takes no new connection, and finishes the requests that run', async () => {
    const { origin, answer, release, close, events } = await startWithSlowRead();
    const closing = close(10_000);
    await expect(fetch(`${origin}/health/live`)).rejects.toThrow('fetch failed');
    release.resolve();
    expect(await answer).toBe(404);
    await closing;
    expect(events).toEqual([]);
  });

  it('cuts off a request that takes longer than the grace', async () => {
    const { answer, release, close, events } = await startWithSlowRead();
    await close(50);
    expect(await answer).toBe('cut off');
    expect(events).toEqual(['requests-cut-off']);
    release.resolve();
  });
});
