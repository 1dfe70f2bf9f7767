import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { EventContext } from 'rhea';
import { describe, expect, it } from 'vitest';
import { receiveExactly, receiveOne } from '../testing/sdk-harness.ts';
import { useConformanceTarget } from './conformance-target.ts';
import { connectRawPeer, parseConnectionString, type RawPeer } from './raw-peer.ts';

const target = useConformanceTarget();

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

  it.each([
    ['an array of four billion nulls', '0053 12 f0 0000000a ffffffff 40 000000'],
    [
      'lists of thirty million items in one another',
      `0053 12 ${'d0 00ffffff 01c9c380'.repeat(64)}`,
    ],
    ['lists a hundred thousand deep', `0053 12 ${'c0 ff 01'.repeat(100_000)}`],
  ])('does not believe %s', async (_, text) => {
    const { name, sender } = await target.newQueue();
    const body = Buffer.from(text.replaceAll(' ', ''), 'hex');
    await sendUntilCut(HEADER, OPEN, frame(body));
    await sender.sendMessages({ body: 'alive' });
    expect((await receiveOne(target.client.createReceiver(name))).body).toBe('alive');
  });

  it('refuses the coordinator of transactions with a condition that says so', async () => {
    const { host, port } = parseConnectionString(target.connectionString);
    const socket = connect(port, host);
    const begin = frame(Buffer.from('005311c0070440 43 52ff 52ff'.replaceAll(' ', ''), 'hex'));
    // A sender's attach whose target is a coordinator; rhea cannot write one.
    const attach = '005312 c01007 a10163 43 42 40 40 00532845 00533045'.replaceAll(' ', '');
    for (const bytes of [HEADER, OPEN, begin, frame(Buffer.from(attach, 'hex'))]) {
      socket.write(bytes);
    }
    let said = '';
    socket.on('data', (bytes: Buffer) => {
      said += bytes.toString('latin1');
    });
    await expect.poll(() => said).toContain('amqp:not-implemented');
    expect(said).toContain('The emulator has no transactions');
    socket.destroy();
  });

  it('is not kept busy by a disposition of four billion deliveries', async () => {
    const { name, sender } = await target.newQueue();
    const { host, port } = parseConnectionString(target.connectionString);
    const socket = connect(port, host);
    socket.on('error', () => undefined);
    socket.resume();
    // begin, then a disposition of the receiver's side from the first to the last there can be.
    const begin = frame(Buffer.from('005311c0070440 43 52ff 52ff'.replaceAll(' ', ''), 'hex'));
    const all = frame(Buffer.from('005315c0090441 43 70ffffffff 41'.replaceAll(' ', ''), 'hex'));
    for (const bytes of [HEADER, OPEN, begin, all]) socket.write(bytes);
    const startMs = Date.now();
    await sender.sendMessages({ body: 'alive' });
    expect((await receiveOne(target.client.createReceiver(name))).body).toBe('alive');
    // Four billion look-ups take a minute on any machine.
    expect(Date.now() - startMs).toBeLessThan(20_000);
    socket.destroy();
  });

  it('detaches a link whose client does not wait for credit', async () => {
    const { name } = await target.newQueue();
    const peer = await connectRawPeer(parseConnectionString(target.connectionString));
    const outcome = await peer.openSender({ target: { address: name } });
    if (outcome.kind === 'refused') throw new Error(outcome.condition);
    const { link } = outcome;
    const closed = new Promise<unknown>((resolve) =>
      link.once('sender_error', () => resolve(link.error)),
    );
    // More than rhea lets through by itself.
    (link as unknown as { credit: number }).credit = 10_000;
    for (let sent = 0; sent < 2_000; sent += 1) link.send({ body: sent });
    expect(await closed).toMatchObject({ condition: 'amqp:link:transfer-limit-exceeded' });
    await peer.close();
  });

  it.each([
    ['links in one session', 1_000, (peer: RawPeer) => peer.connection.open_receiver('absent')],
    ['sessions', 6_000, (peer: RawPeer) => peer.connection.create_session().open()],
  ])('cuts the connection of a peer that opens too many %s', async (_, count, open) => {
    const { name, sender } = await target.newQueue();
    const peer = await connectRawPeer(parseConnectionString(target.connectionString));
    const cut = new Promise<void>((resolve) =>
      peer.connection.once('disconnected', () => resolve()),
    );
    for (let opened = 0; opened < count; opened += 1) open(peer);
    await cut;
    await sender.sendMessages({ body: 'alive' });
    expect((await receiveOne(target.client.createReceiver(name))).body).toBe('alive');
  });

  it('holds little for a client that does not read, and leaves the rest to others', async () => {
    const { name, sender } = await target.newQueue();
    const body = Buffer.alloc(250_000);
    for (let sent = 0; sent < 120; sent += 1) await sender.sendMessages({ body });
    const peer = await connectRawPeer(parseConnectionString(target.connectionString));
    const source = { address: name };
    const outcome = await peer.openReceiver({ source, credit_window: 0, autoaccept: false });
    if (outcome.kind === 'refused') throw new Error(outcome.condition);
    const { socket } = peer.connection as unknown as { readonly socket: Socket };
    const first = new Promise<void>((resolve) => outcome.link.once('message', () => resolve()));
    outcome.link.add_credit(1_000);
    await first;
    socket.pause();
    const others = target.client.createReceiver(name, { receiveMode: 'receiveAndDelete' });
    expect(await receiveExactly(others, 20)).toHaveLength(20);
    socket.destroy();
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
