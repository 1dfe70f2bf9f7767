import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startAzurite } from '@tandem/storage/testing';
import { expect, it, onTestFinished } from 'vitest';
import { type ServedRegion, startTwoRegions, type TwoRegions } from './two-regions.ts';

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

const portOf = ({ connection }: ServedRegion): number =>
  Number(/127\.0\.0\.1:(\d+)/.exec(connection)?.[1]);

/** Stands in for Traffic Manager: a new connection goes to the first region that takes it. */
async function startDoor({ east, west }: TwoRegions): Promise<string> {
  const door = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    const tryNext = ([region, ...others]: readonly ServedRegion[]): void => {
      if (region === undefined) return void socket.destroy();
      const inner = connect(portOf(region), '127.0.0.1');
      let isOpen = false;
      inner.once('connect', () => {
        isOpen = true;
        socket.pipe(inner).pipe(socket);
      });
      inner.on('error', () => (isOpen ? socket.destroy() : tryNext(others)));
      socket.once('close', () => inner.destroy());
    };
    tryNext([east, west]);
  });
  await once(door.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void door.close());
  const { port } = door.address() as AddressInfo;
  return east.connection.replace(`127.0.0.1:${portOf(east)}`, `127.0.0.1:${port}`);
}

it('I1: an application of another account survives the death of a region by its connection string alone', async () => {
  const expected = await outputAtAzurite();
  const regions = await startTwoRegions();
  onTestFinished(() => regions.stop());
  const { east, west, certificate } = regions;
  const trusting = { ...process.env, NODE_EXTRA_CA_CERTS: certificate };
  const app = spawn(process.execPath, [APP], {
    env: { ...trusting, AZURE_STORAGE_CONNECTION_STRING: await startDoor(regions) },
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
