import { once } from 'node:events';
import { connect } from 'node:net';
import type { EventContext } from 'rhea';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { receiveOne } from '../testing/sdk-harness.ts';
import { openConformanceTarget, type ConformanceTarget } from './conformance-target.ts';
import { connectRawPeer, parseConnectionString } from './raw-peer.ts';

let target: ConformanceTarget;
beforeAll(async () => {
  target = await openConformanceTarget();
});
afterAll(() => target.close());

const HEADER = Buffer.from('AMQP\0\u0001\0\0', 'latin1');
/** An open performative with the container id "a". */
const OPEN = frame(Buffer.from('005310c003 01a10161'.replaceAll(' ', ''), 'hex'));

function frame(body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8, 0);
  head.writeUInt8(2, 4);
  return Buffer.concat([head, body]);
}

/** Sends the bytes and resolves when the broker has cut the connection. */
async function sendUntilCut(...chunks: Buffer[]): Promise<void> {
  const { host, port } = parseConnectionString(target.connectionString);
  const socket = connect(port, host);
  socket.on('error', () => undefined);
  socket.resume();
  const closed = once(socket, 'close');
  for (const chunk of chunks) socket.write(chunk);
  await closed;
}

describe('bad input', () => {
  it.each([
    ['another protocol', [Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
    ['a protocol version that does not exist', [Buffer.from('AMQP\0\u0009\0\0', 'latin1')]],
    ['a frame shorter than its own head', [HEADER, Buffer.from([0, 0, 0, 2, 2, 0, 0, 0])]],
    ['an unknown performative', [HEADER, OPEN, frame(Buffer.from('0053fec0020100', 'hex'))]],
    ['a frame that ends in a value', [HEADER, frame(Buffer.from('005310c0ff', 'hex'))]],
    ['a transfer without a link', [HEADER, OPEN, frame(Buffer.from('005314c0030143', 'hex'))]],
    ['random bytes after the header', [HEADER, Buffer.alloc(64, 0xa7)]],
  ])('cuts a connection that sends %s, and no other', async (_, chunks) => {
    const { name, sender } = await target.newQueue();
    await sendUntilCut(...chunks);
    await sender.sendMessages({ body: 'alive' });
    expect((await receiveOne(target.client.createReceiver(name))).body).toBe('alive');
  });

  it('keeps little of a message that never ends, and refuses it', async () => {
    const { name } = await target.newQueue();
    const peer = await connectRawPeer(parseConnectionString(target.connectionString));
    const outcome = await peer.openSender({ target: { address: name } });
    if (outcome.kind === 'refused') throw new Error(outcome.condition);
    const { link } = outcome;
    const rejected = new Promise<unknown>((resolve) => {
      link.once('rejected', ({ delivery }: EventContext) => resolve(delivery?.remote_state));
    });
    link.send({ body: Buffer.alloc(12 * 1024 * 1024) });
    expect(await rejected).toMatchObject({
      error: { condition: 'amqp:link:message-size-exceeded' },
    });
    await peer.close();
  });

  it('lets a client connect that opens nothing', async () => {
    const peer = await connectRawPeer(parseConnectionString(target.connectionString));
    await peer.close();
  });
});
