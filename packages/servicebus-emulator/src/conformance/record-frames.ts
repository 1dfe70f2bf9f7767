import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { connectRawPeer, parseConnectionString } from './raw-peer.ts';

/** What a client says to the broker in a short and whole conversation, as it was written. */
export async function recordFrames(connectionString: string, queue: string): Promise<Buffer[]> {
  const { host, port } = parseConnectionString(connectionString);
  const said: Buffer[] = [];
  const proxy = createServer((client) => {
    const broker = connect(port, host);
    client.on('error', () => undefined);
    broker.on('error', () => undefined);
    client.on('data', (bytes: Buffer) => said.push(Buffer.from(bytes)));
    client.pipe(broker).pipe(client);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const own = (proxy.address() as AddressInfo).port;
  const peer = await connectRawPeer({ host: '127.0.0.1', port: own, isPlain: true });
  const opened = await peer.openSender({ target: { address: queue } });
  if (opened.kind === 'refused') throw new Error(opened.condition);
  const accepted = once(opened.link, 'accepted');
  opened.link.send({ message_id: 'recorded', body: { text: 'recorded', list: [1, 'two', null] } });
  await accepted;
  const receiver = await peer.openReceiver({ source: { address: queue }, credit_window: 0 });
  if (receiver.kind === 'refused') throw new Error(receiver.condition);
  const received = once(receiver.link, 'message');
  receiver.link.add_credit(1);
  await received;
  await peer.request(`${queue}/$management`, {
    properties: { operation: 'com.microsoft:peek-message' },
    body: { 'from-sequence-number': 1, 'message-count': 1 },
  });
  await peer.close();
  proxy.close();
  return said;
}
