import { once } from 'node:events';
import { Agent, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startEndpoint } from './testing/start-endpoint.ts';
import { startProcess } from './testing/start-process.ts';

/** The process cuts after five seconds, and without that a request under way would last for ever. */
const CUT_MS_MAX = 60_000;

describe('the process', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'says when it is ready and ends on %s',
    async (signal) => {
      const east = await startEndpoint('east');
      const { child, untilEvent, exitCode } = startProcess({
        ENDPOINTS: `east=${east.url}`,
        PORT: '0',
      });
      const { url } = await untilEvent('ready');
      // An idle connection that the client would keep must not hold up the stop until it is cut.
      const agent = new Agent({ keepAlive: true });
      const outgoing = request(`${String(url)}/customers`, { agent }).end();
      const [response] = await once(outgoing, 'response');
      expect(await text(response)).toBe('east');
      child.kill(signal);
      expect(await exitCode).toBe(0);
      expect(await untilEvent('stopped')).toMatchObject({ isCut: false });
      agent.destroy();
    },
  );

  it('lets a request under way finish when it is told to stop', async () => {
    const answer = Promise.withResolvers<void>();
    const east = await startEndpoint('east', (_request, response) => {
      void answer.promise.then(() => response.end('late'));
    });
    const { child, untilEvent, exitCode } = startProcess({
      ENDPOINTS: `east=${east.url}`,
      PORT: '0',
    });
    const { url } = await untilEvent('ready');
    const outgoing = request(`${String(url)}/slow`).end();
    await expect.poll(() => east.requests.length).toBe(1);
    child.kill('SIGTERM');
    await untilEvent('stopping');
    answer.resolve();
    const [response] = await once(outgoing, 'response');
    expect(await text(response)).toBe('late');
    expect(await exitCode).toBe(0);
    expect(await untilEvent('stopped')).toMatchObject({ isCut: false });
  });

  it('cuts what does not finish in time', async () => {
    const east = await startEndpoint('east', () => undefined);
    const { child, untilEvent, exitCode } = startProcess({
      ENDPOINTS: `east=${east.url}`,
      PORT: '0',
    });
    const { url } = await untilEvent('ready');
    const outgoing = request(`${String(url)}/never`).end();
    const failed = once(outgoing, 'error');
    await expect.poll(() => east.requests.length).toBe(1);
    const startedAt = performance.now();
    child.kill('SIGTERM');
    expect(await untilEvent('stopped')).toMatchObject({ isCut: true });
    expect(await exitCode).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(CUT_MS_MAX);
    expect(await failed).toMatchObject([{ code: 'ECONNRESET' }]);
  });

  it('names a taken port and the setting, and exits with 1', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void holder.close());
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    const { exitCode, stderr } = startProcess({
      ENDPOINTS: 'east=http://127.0.0.1:1',
      PORT: `${port}`,
    });
    expect(await exitCode).toBe(1);
    expect(await stderr).toBe(
      `Port ${port} on 127.0.0.1 is already in use: set PORT to another one (0 takes any free one).\n`,
    );
  });

  it('lists every setting that it cannot use, and exits with 1', async () => {
    const { exitCode, stderr } = startProcess({ PORT: 'x', PROBE_INTERVAL_MS: '100' });
    expect(await exitCode).toBe(1);
    const lines = (await stderr).trim().split('\n');
    expect(lines.map((line) => line.trim().split(':')[0])).toEqual([
      'Settings that cannot be used',
      'ENDPOINTS',
      'PORT',
      'PROBE_INTERVAL_MS',
    ]);
  });
});
