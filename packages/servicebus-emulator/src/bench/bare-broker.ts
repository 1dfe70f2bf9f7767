import type { AddressInfo, Server } from 'node:net';
import rhea, { type EventContext, type Message, type Sender } from 'rhea';

/**
 * A program: plain rhea that passes on what it is sent, in order, and keeps nothing. What a broker in
 * JavaScript costs at the least. Prints its port as the emulator does.
 */
const container = rhea.create_container({ id: 'bare' });
const waiting: Message[] = [];
let receiver: Sender | undefined;

function passOn(): void {
  while (receiver?.sendable() === true) {
    const message = waiting.shift();
    if (message === undefined) return;
    receiver.send(message);
  }
}

container.on('message', ({ message }: EventContext) => {
  if (message !== undefined) waiting.push(message);
  passOn();
});
container.on('sender_open', ({ sender }: EventContext) => {
  receiver = sender;
});
container.on('sendable', passOn);
container.on('disconnected', () => {
  receiver = undefined;
});

const server = (container as unknown as { listen(options: object): Server }).listen({
  port: 0,
  host: '127.0.0.1',
  tcp_no_delay: true,
});
server.once('listening', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ event: 'ready', amqpPort: port })}\n`);
});
process.once('SIGTERM', () => process.exit(0));
