import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startAzurite } from '@tandem/storage/testing';
import { expect, it, onTestFinished } from 'vitest';
import { startLineProcess } from './child.ts';
import { ACCOUNT, startTwoRegions, type TwoRegions } from './two-regions.ts';

const APP = join(import.meta.dirname, '../../../examples/table-app/table-app.ts');
const LINES_BEFORE_KILL = 15;
const FIND_MS_MAX = 90_000;

async function outputAtAzurite(): Promise<string> {
  const azurite = await startAzurite();
  try {
    const env = { ...process.env, AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString };
    return (await promisify(execFile)(process.execPath, [APP], { env })).stdout;
  } finally {
    await azurite.stop();
  }
}

const PROBING = { PROBE_INTERVAL_MS: '500', PROBE_TIMEOUT_MS: '400', DNS_TTL_MS: '500' };

/** Starts the stand-in for Traffic Manager before the endpoints, and returns what its clients are given. */
async function startTrafficManager({ east, west }: TwoRegions): Promise<string> {
  const endpoints = [east, west].map((one) => `${one.region}=http://127.0.0.1:${one.plainPort()}`);
  const standIn = startLineProcess(fileURLToPath(MANAGER), [], {
    ...PROBING,
    TOLERATED_FAILURES: '1',
    ALLOW_FAST_PROBES: 'true',
    ENDPOINTS: endpoints.join(','),
    HOST: '127.0.0.1',
    PORT: '0',
  });
  onTestFinished(() => standIn.kill());
  for (;;) {
    const { event, url = '' } = (await standIn.next()) as { event?: string; url?: string };
    if (event !== 'ready') continue;
    const { account, keys } = ACCOUNT;
    return (
      `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${keys[0]};` +
      `TableEndpoint=${new URL(`/${account}`, url).href}`
    );
  }
}

const MANAGER = import.meta.resolve('@tandem/traffic-manager/main');

it('I1: an application of another account survives the death of a region by its connection string alone', async () => {
  const expected = await outputAtAzurite();
  const regions = await startTwoRegions();
  onTestFinished(() => regions.stop());
  const { east, west, certificate } = regions;
  const trusting = { ...process.env, NODE_EXTRA_CA_CERTS: certificate };
  const app = spawn(process.execPath, [APP], {
    env: { ...trusting, AZURE_STORAGE_CONNECTION_STRING: await startTrafficManager(regions) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let killed: Promise<void> | undefined;
  app.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output.split('\n').length > LINES_BEFORE_KILL) killed ??= east.kill();
  });
  const [code] = (await once(app, 'close')) as [number];
  expect([code, output]).toEqual([0, expected]);
  expect(killed).toBeDefined();
  await killed;
  // Whatever was acknowledged by the region that died is in the other once its account is back.
  await east.start();
  for (const region of [west, east]) {
    const env = { ...trusting, AZURE_STORAGE_CONNECTION_STRING: region.connection };
    const count = async (): Promise<string> =>
      (await promisify(execFile)(process.execPath, [READER], { env })).stdout;
    await expect.poll(count, { timeout: FIND_MS_MAX, interval: 500 }).toBe('60 orders, 30 paid\n');
  }
});

const READER = join(import.meta.dirname, 'count-orders.ts');
