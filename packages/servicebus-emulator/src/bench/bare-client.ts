import { once } from 'node:events';
import rhea from 'rhea';

const CREDIT = 1_000;

/** Passes messages through a broker with plain rhea. Resolves to messages per second. */
export async function passWithRhea(
  port: number,
  { count, bytes }: { readonly count: number; readonly bytes: number },
): Promise<number> {
  const container = rhea.create_container({ id: 'client' });
  const connection = container.connect({
    host: '127.0.0.1',
    port,
    reconnect: false,
    tcp_no_delay: true,
  } as Parameters<typeof container.connect>[0]);
  await once(connection, 'connection_open');
  const receiver = connection.open_receiver({ source: 'q', credit_window: CREDIT });
  await once(receiver, 'receiver_open');
  const sender = connection.open_sender({ target: 'q' });
  await once(sender, 'sendable');
  const body: unknown = rhea.message.data_section(Buffer.alloc(bytes));
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  let received = 0;
  const send = (): void => {
    while (sent < count && sender.sendable()) {
      sent += 1;
      sender.send({ message_id: String(sent), body });
    }
  };
  receiver.on('message', () => {
    received += 1;
    if (received === count) resolve();
  });
  sender.on('sendable', send);
  const startMs = performance.now();
  send();
  await done;
  const rate = count / ((performance.now() - startMs) / 1_000);
  connection.close();
  await once(connection, 'connection_close');
  return rate;
}
