import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { useConformanceTarget, waitFor } from './conformance-target.ts';
import { parseConnectionString } from './raw-peer.ts';

/** Debian's python3-qpid-proton: a client that is not in JavaScript. */
const PROGRAM = join(import.meta.dirname, 'proton_client.py');
const INSTALL = 'apt-get install python3-qpid-proton';
/** Debian installs its packages for its own Python only. */
const PYTHON = '/usr/bin/python3';
const isInstalled = spawnSync(PYTHON, ['-c', 'import proton']).status === 0;

if (!isInstalled) {
  // A test that cannot run must not look like one that passed.
  process.stderr.write(`NOT TESTED: qpid-proton for Python is absent; ${INSTALL}\n`);
}

const target = useConformanceTarget();

async function run(queue: string, outcome: string): Promise<Record<string, unknown>> {
  const { host, port, isPlain } = parseConnectionString(target.connectionString);
  const url = `${isPlain ? 'amqp' : 'amqps'}://${host}:${port}`;
  const { stdout } = await promisify(execFile)(PYTHON, [PROGRAM, url, queue, outcome]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const countsOf = (name: string) => target.admin.getQueueRuntimeProperties(name);

describe.skipIf(!isInstalled)('qpid-proton for Python', () => {
  it('sends, receives and completes', async () => {
    const { name } = await target.newQueue();
    expect(await run(name, 'accept')).toMatchObject({ body: 'from proton', id: 'proton-1', n: 7 });
    await waitFor('an empty queue', async () =>
      (await countsOf(name)).totalMessageCount === 0 ? true : undefined,
    );
  });

  it('reads the annotations of the broker', async () => {
    const { name } = await target.newQueue();
    const { annotations } = await run(name, 'accept');
    expect(Object.keys(annotations as object)).toEqual(
      expect.arrayContaining(['x-opt-sequence-number', 'x-opt-locked-until']),
    );
  });

  it('gives a message back', async () => {
    const { name } = await target.newQueue();
    await run(name, 'release');
    const message = (await target.client.createReceiver(name).receiveMessages(1))[0];
    expect(message?.body).toBe('from proton');
  });

  it('dead-letters what it rejects', async () => {
    const { name } = await target.newQueue();
    await run(name, 'reject');
    await waitFor('a dead letter', async () =>
      (await countsOf(name)).deadLetterMessageCount === 1 ? true : undefined,
    );
  });
});
