import { createRequire } from 'node:module';
import { ServiceBusClient, type ServiceBusSender } from '@azure/service-bus';
import { createEmulator, type Emulator } from '@tandem/servicebus-emulator';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { boundDecoding, type Codec } from './bound-decoding.ts';
import { createServiceBusReceiver } from './service-bus-receiver.ts';

const QUEUE = 'inbound';
const WAIT_MS = 5_000;

const library = createRequire(import.meta.url).resolve('@azure/service-bus');
const { message } = createRequire(library)('rhea-promise') as {
  readonly message: { encode: (message: unknown) => Buffer };
};

let emulator: Emulator;
let client: ServiceBusClient;
let sender: ServiceBusSender;

beforeEach(async () => {
  emulator = await createEmulator({ queues: [{ name: QUEUE }] });
  client = new ServiceBusClient(emulator.connectionString);
  sender = client.createSender(QUEUE);
  // The link is there before its bytes are changed: what opens it are messages too.
  await sender.createMessageBatch();
});

afterEach(async () => {
  await client.close();
  await emulator.close();
});

/** Sends bytes in the place of those of a message. */
async function sendBytes(bytes: Buffer): Promise<void> {
  const { encode } = message;
  message.encode = () => bytes;
  try {
    await sender.sendMessages({ body: '' });
  } finally {
    message.encode = encode;
  }
}

const section = (code: number, value: readonly number[]): Buffer =>
  Buffer.from([0x00, 0x53, code, ...value]);
const uint = (value: number): number[] => [...Buffer.from(Uint32Array.of(value).buffer)].reverse();
const VALUE = 0x77;
const NULLS = 0x40;
/** Of four bytes of size and four of count. */
const claiming = (constructor: number, count: number, rest: readonly number[]): number[] => [
  constructor,
  ...uint(4 + rest.length),
  ...uint(count),
  ...rest,
];
/** Lists within each other. */
function nested(depth: number): number[] {
  let bytes: Buffer = Buffer.from([0x45]);
  const parts: Buffer[] = [];
  let size = bytes.length;
  for (let level = 0; level < depth; level += 1) {
    parts.push(Buffer.from([0xd0, ...uint(4 + size), ...uint(1)]));
    size += 9;
  }
  bytes = Buffer.concat([...parts.reverse(), bytes]);
  return [...bytes];
}

test('four billion items are no more than the bytes that hold them, whatever else the process has loaded', () => {
  const load = createRequire(library);
  const loaded = Object.entries(load.cache).filter(([file]) => /\/rhea(?:-promise)?\//u.test(file));
  for (const [file] of loaded) delete load.cache[file];
  const codec = load('rhea-promise') as Codec;
  for (const [file, module] of loaded) load.cache[file] = module;
  boundDecoding(codec);
  const arrays = Array.from({ length: 1_000 }, () => claiming(0xf0, 10_000, [NULLS])).flat();
  for (const value of [claiming(0xf0, 0xff_ff_ff_ff, [NULLS]), claiming(0xd0, 1_000, arrays)]) {
    expect(codec.message.decode(section(VALUE, value))).not.toHaveProperty('body');
    // A header behind it does not make it the broker's.
    const disguised = Buffer.concat([section(VALUE, value), section(0x70, [0x45])]);
    expect(codec.message.decode(disguised)).not.toHaveProperty('body');
  }
});

describe('I10: a message whose bytes tell what is not so', () => {
  test.each([
    ['four billion nulls in an array', claiming(0xf0, 0xff_ff_ff_ff, [NULLS])],
    ['thirty million items in a list', claiming(0xd0, 30_000_000, [NULLS])],
    ['thirty million items in a map', claiming(0xd1, 30_000_000, [NULLS])],
    [
      'as many nulls as it has bytes, in each of a thousand arrays',
      claiming(
        0xd0,
        1_000,
        Array.from({ length: 1_000 }, () => claiming(0xf0, 10_000, [NULLS])).flat(),
      ),
    ],
    ['ten thousand lists in each other', nested(10_000)],
    ['three thousand lists in each other', nested(3_000)],
    ['a type that there is none of', [0xd0, ...uint(5), ...uint(1), 0x3f]],
  ])('is received without its body, and what is behind it as it is: %s', async (_, value) => {
    await sendBytes(section(VALUE, value));
    await sender.sendMessages({ body: Buffer.from('sound'), messageId: 'sound' });
    const receiver = createServiceBusReceiver({
      connection: emulator.connectionString,
      queue: QUEUE,
    });
    const received = [];
    while (received.length < 2) {
      const some = await receiver.receive(2, WAIT_MS);
      expect(some.length).toBeGreaterThan(0);
      received.push(...some);
    }
    const [odd, sound] = received;
    expect(sound).toMatchObject({ messageId: 'sound', body: new Uint8Array(Buffer.from('sound')) });
    expect(odd!.body.length).toBeLessThan(100_000);
    const refusal = {
      kind: 'dead-letter',
      reason: 'no-message',
      description: 'of no use',
    } as const;
    expect(await receiver.settle(odd!, refusal)).toBe('settled');
    expect(await receiver.countDeadLetters(10)).toBe(1);
    await receiver.close();
  });
});
