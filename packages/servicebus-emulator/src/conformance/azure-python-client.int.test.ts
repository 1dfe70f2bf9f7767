import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createEmulator } from '../create-emulator.ts';
import { createCertificate } from '../testing/certificate.ts';

/** Debian's python3-azure: Microsoft's client in Python, on an AMQP stack in C. It asks for TLS. */
const PROGRAM = join(import.meta.dirname, 'azure_servicebus_tour.py');
const INSTALL = 'apt-get install python3-azure';
/** Debian installs its packages for its own Python only. */
const PYTHON = '/usr/bin/python3';
const isInstalled = spawnSync(PYTHON, ['-c', 'import azure.servicebus, uamqp']).status === 0;

if (!isInstalled) {
  // A test that cannot run must not look like one that passed.
  process.stderr.write(`NOT TESTED: azure-servicebus for Python is absent; ${INSTALL}\n`);
}

async function takeTour(): Promise<Record<string, unknown>> {
  const identity = await createCertificate();
  const folder = await mkdtemp(join(tmpdir(), 'azure-python.'));
  const failures: unknown[] = [];
  const emulator = await createEmulator({
    tls: identity,
    onFailure: (error) => failures.push(error),
  });
  try {
    const certificate = join(folder, 'certificate.pem');
    await writeFile(certificate, identity.cert);
    const args = [
      PROGRAM,
      '127.0.0.1',
      `${emulator.amqpPort}`,
      `${emulator.adminPort}`,
      certificate,
    ];
    // The one that administers takes the certificate to trust from there, the other one from its arguments.
    const env = { ...process.env, REQUESTS_CA_BUNDLE: certificate };
    const { stdout } = await promisify(execFile)(PYTHON, args, { env });
    expect(failures).toEqual([]);
    return JSON.parse(stdout) as Record<string, unknown>;
  } finally {
    await emulator.close();
    await rm(folder, { recursive: true });
  }
}

const STEPS = [
  'createQueues',
  'listQueues',
  'listTopics',
  'updateQueue',
  'sendAndComplete',
  'abandon',
  'defer',
  'deadLetter',
  'peek',
  'schedule',
  'receiveAndDelete',
  'sessions',
  'webSockets',
  'runtimeProperties',
  'subscription',
  'deleteQueues',
];

describe.skipIf(!isInstalled)('azure-servicebus for Python', () => {
  it('H1, H2, H3, H4, H5, H6, H8, H10: makes its whole tour', async () => {
    expect(await takeTour()).toEqual(Object.fromEntries(STEPS.map((step) => [step, true])));
  });
});
