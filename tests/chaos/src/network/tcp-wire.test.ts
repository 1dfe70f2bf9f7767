import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { startTcpWire, type TcpWire } from './tcp-wire.ts';

/** A server that sends back what it gets, behind a wire. */
async function start(): Promise<{ wire: TcpWire; heard: () => string }> {
  let heard = '';
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      heard += chunk.toString();
      socket.write(chunk);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const wire = await startTcpWire('sample', (server.address() as AddressInfo).port);
  onTestFinished(async () => {
    await wire.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { wire, heard: () => heard };
}

function dial(wire: TcpWire): { socket: Socket; answered: () => string; isGone: () => boolean } {
  const socket = connect(wire.port, '127.0.0.1');
  let answered = '';
  let isGone = false;
  socket.on('data', (chunk) => (answered += chunk.toString()));
  socket.on('error', () => socket.destroy());
  socket.on('close', () => (isGone = true));
  onTestFinished(() => void socket.destroy());
  return { socket, answered: () => answered, isGone: () => isGone };
}

const PATIENCE = { timeout: 20_000, interval: 5 };

it('passes on what is sent in both directions while it is open', async () => {
  const { wire } = await start();
  const { socket, answered } = dial(wire);
  socket.write('hello');
  await expect.poll(answered, PATIENCE).toBe('hello');
});

it('holds back what is sent while it is stalled, and delivers it when it is open again', async () => {
  const { wire, heard } = await start();
  const [stalled, other] = [dial(wire), dial(wire)];
  stalled.socket.write('a');
  other.socket.write('b');
  await expect.poll(() => heard().length, PATIENCE).toBe(2);
  wire.set({ kind: 'stalled', what: 'requests' });
  stalled.socket.write('late');
  // What is held back is not there when something sent after it is, another way.
  const { wire: otherWire } = await start();
  const elsewhere = dial(otherWire);
  elsewhere.socket.write('x');
  await expect.poll(elsewhere.answered, PATIENCE).toBe('x');
  expect(heard()).not.toContain('late');
  wire.set({ kind: 'open' });
  await expect.poll(stalled.answered, PATIENCE).toBe('alate');
});

it('lets requests through and holds back answers when only answers are stalled', async () => {
  const { wire, heard } = await start();
  const { socket, answered } = dial(wire);
  wire.set({ kind: 'stalled', what: 'answers' });
  socket.write('done');
  await expect.poll(heard, PATIENCE).toBe('done');
  expect(answered()).toBe('');
  wire.set({ kind: 'open' });
  await expect.poll(answered, PATIENCE).toBe('done');
});

it('resets connections when it is cut, old and new, and takes new ones when it is open', async () => {
  const { wire } = await start();
  const before = dial(wire);
  before.socket.write('a');
  await expect.poll(before.answered, PATIENCE).toBe('a');
  wire.set({ kind: 'cut' });
  await expect.poll(before.isGone, PATIENCE).toBe(true);
  const during = dial(wire);
  await expect.poll(during.isGone, PATIENCE).toBe(true);
  wire.set({ kind: 'open' });
  const after = dial(wire);
  after.socket.write('b');
  await expect.poll(after.answered, PATIENCE).toBe('b');
});

it('passes on everything, later, while it is throttled', async () => {
  const { wire } = await start();
  const { socket, answered } = dial(wire);
  wire.set({ kind: 'throttled', bytesPerSecond: 100_000 });
  const startedMs = performance.now();
  socket.write('x'.repeat(20_000));
  await expect.poll(() => answered().length, PATIENCE).toBe(20_000);
  // Each direction waits for what it has passed on before: all but the last piece of it.
  socket.write('y');
  await expect.poll(() => answered().length, PATIENCE).toBe(20_001);
  expect(performance.now() - startedMs).toBeGreaterThan(150);
});
