import { randomUUID } from 'node:crypto';
import rhea, {
  type Connection,
  type ConnectionOptions,
  type EventContext,
  type Message,
  type Receiver,
  type ReceiverOptions,
  type Sender,
  type SenderOptions,
} from 'rhea';

/** Is a client on plain rhea, without an SDK between the test and the broker. */
export interface RawPeer {
  readonly connection: Connection;
  /** Resolves to the open link, or to the error with which it was closed. */
  openSender(options: SenderOptions | string): Promise<LinkOutcome<Sender>>;
  openReceiver(options: ReceiverOptions | string): Promise<LinkOutcome<Receiver>>;
  /** Asks a node that answers requests, such as $cbs or a queue's $management. */
  request(node: string, request: RawRequest): Promise<Message>;
  close(): Promise<void>;
}

export type LinkOutcome<Link> =
  | { readonly kind: 'open'; readonly link: Link }
  | { readonly kind: 'refused'; readonly condition: string; readonly description: string };

interface RawRequest {
  readonly properties: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly isPlain: boolean;
}

const PORT_PLAIN = 5_672;
const PORT_TLS = 5_671;
const ANSWER_MS_MAX = 30_000;

/** Reads the parts of a connection string. */
export function parseConnectionString(text: string): Endpoint & {
  readonly keyName: string;
  readonly key: string;
} {
  const fields = new Map(
    text.split(';').map((field) => {
      const at = field.indexOf('=');
      return [field.slice(0, at), field.slice(at + 1)] as const;
    }),
  );
  const url = new URL((fields.get('Endpoint') ?? '').replace(/^sb:/, 'http:'));
  const isPlain = fields.get('UseDevelopmentEmulator') === 'true';
  const port = url.port === '' ? (isPlain ? PORT_PLAIN : PORT_TLS) : Number(url.port);
  return {
    host: url.hostname,
    port,
    isPlain,
    keyName: fields.get('SharedAccessKeyName') ?? '',
    key: fields.get('SharedAccessKey') ?? '',
  };
}

function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new Error(`No answer: ${what}`)), ANSWER_MS_MAX);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Waits until the peer has answered the attach. A refusal is an attach and, right behind it, a
 * detach, so an open link is believed after the frames behind it were read.
 */
function outcomeOf<Link extends Sender | Receiver>(
  link: Link,
  prefix: 'sender' | 'receiver',
): Promise<LinkOutcome<Link>> {
  const { promise, resolve } = Promise.withResolvers<LinkOutcome<Link>>();
  const believe = (): void => resolve({ kind: 'open', link });
  // What has arrived is read between the end of the timer and the immediate, however late the timer is.
  link.once(`${prefix}_open`, () => setTimeout(() => setImmediate(believe), 50));
  const refuse = (): void => {
    const error = link.error as { condition?: string; description?: string } | undefined;
    const { condition = '', description = '' } = error ?? {};
    resolve({ kind: 'refused', condition, description });
  };
  link.once(`${prefix}_error`, refuse);
  link.once(`${prefix}_close`, refuse);
  return within(`attach of a ${prefix}`, promise);
}

async function request(
  connection: Connection,
  node: string,
  { properties, body }: RawRequest,
): Promise<Message> {
  const replyTo = randomUUID();
  const { promise, resolve } = Promise.withResolvers<Message>();
  const replies = connection.open_receiver({
    source: { address: node },
    target: { address: replyTo },
  });
  replies.on('message', ({ message }: EventContext) => {
    if (message !== undefined) resolve(message);
  });
  const sender = connection.open_sender({ target: { address: node } });
  sender.once('sendable', () => {
    const message = { message_id: 1, reply_to: replyTo, application_properties: properties, body };
    sender.send(message);
  });
  const answer = await within(`request to ${node}`, promise);
  replies.close();
  sender.close();
  return answer;
}

/** Connects. The SASL mechanism is ANONYMOUS unless the options carry a user name. */
export async function connectRawPeer(
  { host, port, isPlain }: Endpoint,
  options: Partial<ConnectionOptions> = {},
): Promise<RawPeer> {
  const container = rhea.create_container({ id: `raw-${randomUUID()}` });
  container.on('error', () => undefined);
  const own = { host, port, reconnect: false, ...(isPlain ? {} : { transport: 'tls' }) };
  const connection = container.connect({ ...own, ...options } as ConnectionOptions);
  for (const name of ['disconnected', 'connection_error', 'error', 'sender_error']) {
    connection.on(name, () => undefined);
  }
  connection.on('receiver_error', () => undefined);
  const opened = new Promise<void>((resolve, reject) => {
    connection.once('connection_open', () => resolve());
    connection.once('connection_error', () => reject(new Error('The connection was refused')));
    connection.once('disconnected', () => reject(new Error('The connection was cut')));
  });
  await within('open', opened);
  return {
    connection,
    openSender: (link) => outcomeOf(connection.open_sender(link), 'sender'),
    openReceiver: (link) => outcomeOf(connection.open_receiver(link), 'receiver'),
    request: (node, message) => request(connection, node, message),
    close() {
      const closed = new Promise<void>((resolve) => {
        connection.once('connection_close', () => resolve());
        connection.once('disconnected', () => resolve());
      });
      connection.close();
      return within('close', closed);
    },
  };
}
