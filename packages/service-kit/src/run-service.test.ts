import { createServer } from 'node:http';
import { TerminalError } from '@tandem/core';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  listen,
  runService,
  type Service,
  type ServiceConfig,
  startService,
} from './run-service.ts';
import { createSystemClock } from './system-clock.ts';
import { recordLog } from './testing/record-log.ts';

const clock = createSystemClock();
const ANY_PORT = { host: '127.0.0.1', port: 0 };

/** An HTTP server with the two methods of Fastify that are asked for. */
function createHttp() {
  const server = createServer((_request, response) => response.end('here'));
  onTestFinished(() => void server.close());
  const app: Service['app'] = {
    server,
    listen: ({ host, port }) =>
      new Promise<string>((resolve, reject) => {
        server.once('error', reject).listen(port, host, () => resolve(`http://${host}`));
      }),
  };
  return { app, close: () => void server.close() };
}

function setUp(own: Partial<Service> = {}) {
  const { logger, lines } = recordLog();
  const done: string[] = [];
  const { app, close } = createHttp();
  const service: Service = {
    open: async () => {
      done.push('open');
      return undefined;
    },
    app,
    facts: { metricsPort: 9 },
    drain: [{ name: 'drain', run: () => void done.push('drain') }],
    close: [
      {
        name: 'close',
        run: () => {
          close();
          done.push('close');
        },
      },
    ],
    ...own,
  };
  const start = (at = ANY_PORT) =>
    startService(service, { listen: at, shutdownMs: 1_000, clock, logger });
  return { service, start, done, lines };
}

/** Takes a port until the test ends. */
async function takePort(): Promise<number> {
  return (await listen(createHttp().app, ANY_PORT)).port;
}

describe('starting a service', () => {
  test('opens, listens, says so, and lets the work end before it closes', async () => {
    const { start, done, lines } = setUp();
    const { port, opened, shutdown } = await start();
    expect(await opened).toBeUndefined();
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('here');
    expect(lines).toContainEqual(
      expect.objectContaining({ event: 'ready', host: '127.0.0.1', port, metricsPort: 9 }),
    );
    expect(await shutdown.run('SIGTERM')).toBe(0);
    expect(done).toEqual(['open', 'drain', 'close']);
  });

  test('does not listen with settings that it cannot use, and shuts down', async () => {
    const wrong = new TerminalError('CONFIGURATION_INVALID', 'Mend it.');
    const { start, done, lines } = setUp({ open: () => Promise.reject(wrong) });
    await expect(start()).rejects.toBe(wrong);
    expect(done).toEqual(['drain', 'close']);
    expect(lines.map(({ event }) => event)).not.toContain('ready');
  });

  test('shuts down where its port is taken, whether or not it could open', async () => {
    const port = await takePort();
    const opening = Promise.withResolvers<string | undefined>();
    const { start, done } = setUp({ open: () => opening.promise });
    opening.resolve(undefined);
    await expect(start({ host: '127.0.0.1', port })).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is already in use: set PORT to another one (0 takes any free one).`,
    );
    expect(done).toEqual(['drain', 'close']);
  });
});

test.each([
  ['EADDRNOTAVAIL', 'is no address of this machine: set HOST to one'],
  ['ENOTFOUND', 'is no address of this machine: set HOST to one'],
  ['EACCES', 'may not be used by this process: set PORT to one above 1023'],
])('what the operating system refuses (%s) is a sentence with its remedy', async (code, text) => {
  const { app } = createHttp();
  const refusing = { ...app, listen: () => Promise.reject(Object.assign(new Error(), { code })) };
  const refused = listen(refusing, { host: 'here.example', port: 80 });
  await expect(refused).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' });
  await expect(refused).rejects.toThrow(`Port 80 on here.example ${text}`);
});

test('a fault of another kind is no matter of settings', async () => {
  const fault = new Error('a bug');
  const app = { ...createHttp().app, listen: () => Promise.reject(fault) };
  await expect(listen(app, ANY_PORT)).rejects.toBe(fault);
});

const CONFIG: ServiceConfig = {
  region: 'east',
  storageConnection: undefined,
  listen: ANY_PORT,
  logLevel: 'silent',
  shutdownMs: 1_000,
};

/** A process that records how it would end. */
function recordProcess() {
  const exits: number[] = [];
  const listeners = new Map<string, (failure?: unknown) => void>();
  let stderr = '';
  return {
    source: {
      on: (event: string, listener: (failure?: unknown) => void) =>
        void listeners.set(event, listener),
      exit: (code: number) => void exits.push(code),
      env: {},
      stderr: { write: (text: string) => void (stderr += text) },
    },
    exits,
    send: (event: string) => listeners.get(event)?.(),
    stderr: () => stderr,
  };
}

describe('running a service as a process', () => {
  const run = (
    source: ReturnType<typeof recordProcess>['source'],
    create: () => Promise<Service>,
  ): Promise<void> =>
    runService({
      service: 'test',
      reading: { ok: true, config: CONFIG },
      create,
      isStray: () => false,
      source,
    });

  test('runs until a signal comes, and exits with 0', async () => {
    const { source, exits, send } = recordProcess();
    const { service, done } = setUp();
    await run(source, async () => service);
    expect(exits).toEqual([]);
    send('SIGTERM');
    await expect.poll(() => exits).toEqual([0]);
    expect(done).toEqual(['open', 'drain', 'close']);
  });

  test('ends in order, with 0, where there is nothing to do', async () => {
    const { source, exits, stderr } = recordProcess();
    const { service, done } = setUp({ open: async () => 'There is nothing to do.' });
    await run(source, async () => service);
    expect([exits, done, stderr()]).toEqual([[0], ['drain', 'close'], '']);
  });

  test('says all that is wrong with its environment, makes nothing, and exits with 1', async () => {
    const { source, exits, stderr } = recordProcess();
    const problems = ['PORT is not set.', 'HOST is not set.'];
    await runService({
      service: 'test',
      reading: { ok: false, problems },
      create: () => Promise.reject(new Error('was made')),
      isStray: () => false,
      source,
    });
    expect(exits).toEqual([1]);
    expect(stderr()).toBe('Settings that cannot be used:\nPORT is not set.\nHOST is not set.\n');
  });

  test('says in a sentence what a person must mend, and exits with 1', async () => {
    const { source, exits, stderr } = recordProcess();
    const wrong = new TerminalError('CONFIGURATION_INVALID', 'Mend it.');
    await run(source, () => Promise.reject(wrong));
    const { service, done } = setUp({ open: () => Promise.reject(wrong) });
    await run(source, async () => service);
    expect(exits).toEqual([1, 1]);
    expect(done).toEqual(['drain', 'close']);
    expect(stderr()).toBe('Mend it.\nMend it.\n');
  });

  test('a bug is thrown on, for whoever looks into it', async () => {
    const { source, exits } = recordProcess();
    const bug = new Error('a bug');
    await expect(run(source, () => Promise.reject(bug))).rejects.toBe(bug);
    expect(exits).toEqual([]);
  });
});
