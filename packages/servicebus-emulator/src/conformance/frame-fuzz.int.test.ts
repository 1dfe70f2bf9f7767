import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { receiveOne } from '../testing/sdk-harness.ts';
import { useConformanceTarget } from './conformance-target.ts';
import { parseConnectionString } from './raw-peer.ts';
import { recordFrames } from './record-frames.ts';

/** FUZZ_ROUNDS=100000 for a long run. */
const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 300);
const PARALLEL = 20;
const CHANGES_MAX = 8;
/** A damaged conversation may leave the broker waiting for more: nothing is wrong with that. */
const SILENCE_MS = 150;

const target = useConformanceTarget();

/** The same numbers in every run (a linear congruential generator), each below the limit. */
function createRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    // The low bits of this generator repeat soon.
    return Math.floor((state / 2 ** 32) * limit);
  };
}

type Random = ReturnType<typeof createRandom>;

/** The conversation with some bytes changed, left out or repeated, or cut off at the end. */
function damage(chunks: readonly Buffer[], random: Random): Buffer[] {
  const bytes = Buffer.concat(chunks);
  // The two protocol headers stay as they are in most rounds, else nothing gets beyond them.
  const first = random(8) === 0 ? 0 : Math.min(80, bytes.length - 1);
  for (let change = random(CHANGES_MAX); change >= 0; change -= 1) {
    bytes.writeUInt8(random(256), first + random(bytes.length - first));
  }
  const at = first + random(bytes.length - first);
  switch (random(4)) {
    case 0:
      return [bytes.subarray(0, at)];
    case 1:
      return [bytes.subarray(0, at), bytes.subarray(Math.min(at + random(64), bytes.length))];
    case 2:
      return [bytes.subarray(0, at), bytes.subarray(Math.max(at - random(256), 0))];
    default:
      return [bytes];
  }
}

function silence(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.setTimeout(SILENCE_MS, resolve);
    socket.once('close', () => resolve());
  });
}

async function say(chunks: readonly Buffer[]): Promise<void> {
  const { host, port } = parseConnectionString(target.connectionString);
  const socket = connect(port, host);
  socket.on('error', () => undefined);
  socket.resume();
  for (const chunk of chunks) socket.write(chunk);
  await silence(socket);
  socket.destroy();
}

describe('damaged conversations', () => {
  it(`harm nobody else and leave nothing behind, ${ROUNDS} of them`, async () => {
    const { name, sender } = await target.newQueue();
    const conversation = await recordFrames(target.connectionString, name);
    expect(Buffer.concat(conversation).length).toBeGreaterThan(500);
    const receiver = target.client.createReceiver(name, { receiveMode: 'receiveAndDelete' });
    await sender.sendMessages({ body: 'warm' });
    await receiveOne(receiver);
    const random = createRandom(20_261_122);
    const heapBefore = process.memoryUsage().heapUsed;
    let round = 0;
    const lane = async (): Promise<void> => {
      while (round < ROUNDS) {
        round += 1;
        await say(damage(conversation, random));
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, lane));
    // The client that was there before is there still, on its old connection and links.
    await target.admin.deleteQueue(name);
    const other = await target.newQueue();
    await other.sender.sendMessages({ body: 'alive' });
    expect((await receiveOne(target.client.createReceiver(other.name))).body).toBe('alive');
    if (target.emulator === undefined) return;
    // Collected or not: what grows with the rounds would be far more.
    const grownMebibytes = (process.memoryUsage().heapUsed - heapBefore) / 2 ** 20;
    expect(grownMebibytes).toBeLessThan(200);
  }, 600_000);

  it('may stop in the middle of anything, a hundred at once', async () => {
    const { name, sender } = await target.newQueue();
    const bytes = Buffer.concat(await recordFrames(target.connectionString, name));
    const { host, port } = parseConnectionString(target.connectionString);
    const halfOpen = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const socket = connect(port, host);
        socket.on('error', () => undefined);
        socket.resume();
        await once(socket, 'connect');
        socket.write(bytes.subarray(0, Math.floor((bytes.length * index) / 100)));
        return socket;
      }),
    );
    await sender.sendMessages({ body: 'alive' });
    const bodies = new Set<unknown>();
    const receiver = target.client.createReceiver(name, { receiveMode: 'receiveAndDelete' });
    // Some of the hundred got as far as sending their message.
    while (!bodies.has('alive')) bodies.add((await receiveOne(receiver)).body);
    for (const socket of halfOpen) socket.destroy();
  });
});
