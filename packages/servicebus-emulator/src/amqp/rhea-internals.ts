import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import rhea, {
  type Connection,
  type Delivery,
  type Receiver,
  type Sender,
  type Session,
  type Typed,
} from 'rhea';

/**
 * What reaches into rhea behind its typings and has more than one reader. Each function says what rhea 3.0.5
 * lacks that makes it necessary; what one file alone needs stands there, beside the bound or the log-in that it is for.
 */

interface LinkInternals {
  readonly local: { readonly attach: Record<string, unknown> };
}

interface StatefulLink {
  readonly state: { local_open: boolean; open_requests: number };
}

interface SenderInternals {
  credit: number;
  readonly _draining: boolean;
  delivery_count: number;
  _get_drain: () => boolean;
}

interface TransferFrame {
  readonly performative: {
    message_format: number | null | undefined;
    readonly more?: boolean | null;
  };
  payload?: Buffer;
}

interface ConnectionInternals {
  readonly transport: { peek_size(buffer: Buffer): number | undefined };
  readonly socket: Socket | undefined;
  _process(): void;
}

interface LinkedSession {
  readonly links: Record<string, Sender | Receiver | undefined>;
  on_attach(frame: { readonly performative: { name: string; role: boolean } }): void;
  remove_link(link: Sender | Receiver): void;
}

interface SessionInternals {
  readonly outgoing: { available(): number };
  readonly incoming: { on_transfer(frame: TransferFrame, receiver: Receiver): void };
  _process(): void;
  _write_flow(link: Sender): void;
}

interface OutcomeFactory {
  described(): unknown;
}

interface MessageInternals {
  accepted(): OutcomeFactory;
  rejected(fields: { error: AmqpCondition }): OutcomeFactory;
}

export interface AmqpCondition {
  readonly condition: string;
  readonly description: string;
}

const sessionOf = (link: Sender | Receiver) => link.session as unknown as SessionInternals;
const outcomes = rhea.message as unknown as MessageInternals;

/** A message format that no client uses: makes rhea hand over the bytes instead of decoding. */
const RAW_FORMAT = 0x7fff_ff01;
export const BATCH_FORMAT = 0x8001_3700;

const rawReceivers = new WeakSet<Receiver>();

/**
 * Keeps a session's links apart that have one name and opposite directions, as AMQP allows and
 * qpid-proton does: rhea knows links by name alone. Call it when the session opens.
 */
export function separateDirections(session: Session): void {
  const internals = session as unknown as LinkedSession;
  const { links } = internals;
  const onAttach = internals.on_attach.bind(session);
  const removeLink = internals.remove_link.bind(session);
  internals.on_attach = (frame) => {
    const { name, role } = frame.performative;
    const existing = links[name];
    // The role is the peer's: true for a receiver, to which a sender of ours belongs.
    if (existing !== undefined && existing.is_receiver() === role) {
      links[`${name}\0opposite`] = existing;
      delete links[name];
    }
    onAttach(frame);
  };
  internals.remove_link = (link) => {
    const [current, opposite] = [links[link.name], links[`${link.name}\0opposite`]];
    removeLink(link);
    if (current !== undefined && current !== link) links[link.name] = current;
    if (opposite === link) delete links[`${link.name}\0opposite`];
  };
}

interface DispositionFrame {
  readonly performative: { readonly first: number; last?: number | null };
}

/** More deliveries than a session can have unsettled. */
const DISPOSITION_SPAN_MAX = 131_072;

/** Bounds the deliveries that one disposition names: rhea looks for each of up to four billion. */
export function boundDispositions(session: Session): void {
  const internals = session as unknown as { on_disposition(frame: DispositionFrame): void };
  const original = internals.on_disposition.bind(session);
  internals.on_disposition = (frame) => {
    const { performative } = frame;
    const lastMax = performative.first + DISPOSITION_SPAN_MAX;
    if ((performative.last ?? 0) > lastMax) performative.last = lastMax;
    original(frame);
  };
}

/** What a client may send as one message, however many frames it takes; the rest is dropped. */
const DELIVERY_BYTES_MAX = 4 * 1024 * 1024;
/** What a client may send as one frame. More than is announced, for clients that miscount. */
const FRAME_BYTES_MAX = 1024 * 1024;

const pendingBytes = new WeakMap<Receiver, number>();

/** A message beyond the limit arrives cut off: still too large to be accepted by anybody. */
function limitPayload(frame: TransferFrame, link: Receiver): void {
  const bytes = (pendingBytes.get(link) ?? 0) + (frame.payload?.length ?? 0);
  pendingBytes.set(link, frame.performative.more === true ? bytes : 0);
  if (bytes > DELIVERY_BYTES_MAX) frame.payload = Buffer.alloc(0);
}

/** Detaches a link whose client does not wait for credit: rhea would take what it sends. */
function refuseBeyondCredit(link: Receiver): void {
  const internals = link as unknown as { credit: number };
  if (internals.credit > 0) return;
  if (link.is_open()) {
    link.close({
      condition: 'amqp:link:transfer-limit-exceeded',
      description: 'The link has no credit: wait for a flow before sending more.',
    });
  }
  // What is on its way is dropped: the handler takes nothing from a link that is closed.
  internals.credit = 1;
}

/** Bounds the memory that messages in many frames take: rhea collects them without a limit. */
export function boundDeliveries(session: Session): void {
  const { incoming } = session as unknown as SessionInternals;
  const original = incoming.on_transfer.bind(incoming);
  incoming.on_transfer = (frame, link) => {
    const { performative } = frame;
    limitPayload(frame, link);
    refuseBeyondCredit(link);
    if (rawReceivers.has(link) && (performative.message_format ?? 0) === 0) {
      performative.message_format = RAW_FORMAT;
    }
    original(frame, link);
  };
}

/**
 * Makes a receiver's messages arrive as bytes. rhea decodes every plain message, which costs time
 * and loses the AMQP types of its properties.
 */
export function receiveRaw(receiver: Receiver): void {
  rawReceivers.add(receiver);
}

/**
 * Cuts the connection when a frame announces more bytes than the limit: rhea would wait for all of
 * them, in memory. Call it when the connection has its socket.
 */
export function boundFrames(connection: Connection): void {
  const { transport } = connection as unknown as ConnectionInternals;
  const original = transport.peek_size.bind(transport);
  transport.peek_size = (buffer) => {
    const bytes = original(buffer);
    if (bytes !== undefined && bytes > FRAME_BYTES_MAX) {
      throw new ProtocolError(`A frame of ${bytes} bytes exceeds ${FRAME_BYTES_MAX}`);
    }
    return bytes;
  };
}

/** Writes the frames that are ready with one system call: rhea makes one for each. */
export function coalesceWrites(connection: Connection): void {
  const internals = connection as unknown as ConnectionInternals;
  const original = internals._process.bind(connection);
  internals._process = () => {
    const { socket } = internals;
    socket?.cork();
    original();
    socket?.uncork();
  };
}

/** rhea tells errors of the peer from its own by this name. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/**
 * Keeps back the attach with which rhea answers the peer's at once, for an answer that has to be
 * waited for. Call it in the open event, and link.open() when the answer is there.
 */
export function holdAttach(link: Sender): void {
  const { state } = link as unknown as StatefulLink;
  state.local_open = false;
  state.open_requests = 0;
}

/**
 * Writes the attach that answers the peer's now. rhea writes messages first, which a client that
 * sends its credit together with its attach would get on a link that it does not know yet.
 */
export function flushAttach(link: Sender): void {
  link.open();
  sessionOf(link)._process();
}

/** Sets fields of the attach that answers the peer's; call it in the open event. */
export function answerAttach(link: Sender | Receiver, fields: Record<string, unknown>): void {
  const { attach } = (link as unknown as LinkInternals).local;
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) attach[name] = value;
}

/**
 * Settles a delivery with an outcome. rhea joins the dispositions of neighbouring deliveries and
 * overlooks that the second may differ from the first, so a rejection must go out on its own.
 * rhea also keeps a delivery until both sides have settled, which no SDK says after the broker.
 */
export function settleDelivery(delivery: Delivery, refusal?: AmqpCondition): void {
  const outcome =
    refusal === undefined ? outcomes.accepted() : outcomes.rejected({ error: refusal });
  const session = sessionOf(delivery.link);
  if (refusal !== undefined) session._process();
  delivery.update(true, outcome.described());
  if (refusal !== undefined) session._process();
  (delivery as { remote_settled: boolean }).remote_settled = true;
}

/** The credit that the peer has given and rhea has not used. */
export function creditOf(sender: Sender): number {
  return (sender as unknown as SenderInternals).credit;
}

/** Returns true when the peer's last flow asked to use its credit now or give it up. */
export function isDraining(sender: Sender): boolean {
  return (sender as unknown as SenderInternals)._draining;
}

/** Counts the messages that rhea has written to the peer, and the credit that draining took. */
export function deliveryCountOf(sender: Sender): number {
  return (sender as unknown as SenderInternals).delivery_count;
}

/** The bytes that the link's connection has written and the system has not taken. */
export function backlogBytesOf(sender: Sender): number {
  const { socket } = sender.connection as unknown as ConnectionInternals;
  return socket?.writableLength ?? 0;
}

/** How many more messages rhea has room for until the peer settles some. */
export function roomOf(sender: Sender): number {
  return sessionOf(sender).outgoing.available();
}

/**
 * Uses up all credit and says so. rhea only answers a drain while there is credit left, but a
 * client whose last credit was used by a message on its way waits for the answer, too.
 */
export function answerDrain(sender: Sender): number {
  const internals = sender as unknown as SenderInternals;
  const drained = Math.max(internals.credit, 0);
  internals.delivery_count += drained;
  internals.credit = 0;
  const original = internals._get_drain;
  internals._get_drain = () => true;
  sessionOf(sender)._write_flow(sender);
  internals._get_drain = original;
  return drained;
}

/**
 * Sends an empty frame after what was read from the socket, unless something is sent in any case.
 * The SDK's sockets hold small writes back until the last one is acknowledged, which a kernel with
 * nothing to send delays by 40 ms; a frame takes it along.
 */
export function acknowledgeReads(connection: Connection, socket: Duplex): void {
  const internals = connection as unknown as { _write_frame(channel: number): void };
  let pending = false;
  socket.on('data', () => {
    if (pending) return;
    pending = true;
    // A stream that is no socket does not count: a frame too many does no harm.
    const { bytesWritten } = socket as Partial<Socket>;
    setImmediate(() => {
      pending = false;
      const isSilent = (socket as Partial<Socket>).bytesWritten === bytesWritten && socket.writable;
      if (isSilent && connection.is_open()) internals._write_frame(0);
    });
  });
}

/** Frees what a connection holds whose socket was destroyed: rhea listens to end and error only. */
export function forgetConnection(connection: Connection): void {
  (connection as unknown as { _disconnected(): void })._disconnected();
}

interface Reader {
  read(): Typed;
  remaining(): number;
  read_n: (count: number) => unknown[];
  read_array_items: (count: number, type: { readonly width: number }) => unknown[];
}

/** rhea has these at run time, its typings leave them out. */
interface CodecTypes {
  readonly Reader: { new (buffer: Buffer): Reader; readonly prototype: Reader };
  readonly Writer: new () => { write(value: Typed): void; toBuffer(): Buffer };
}

/** rhea is one CommonJS object: its parts cannot be imported by name. */
export const { types } = rhea;

const codec = types as unknown as CodecTypes;

/** Items of an array that are all the same, and of no content. */
const EMPTY_ITEMS_MAX = 65_536;

/**
 * Bounds what rhea's decoder believes. It makes room for as many items as a list or an array
 * announces, and fills arrays of items that take no bytes, so that a frame of 20 bytes could ask for
 * all of the memory. Holds for everything in this process that uses the same rhea.
 */
function boundDecoder({ prototype }: CodecTypes['Reader']): void {
  const { read_n: readItems, read_array_items: readArrayItems } = prototype;
  prototype.read_n = function readBounded(count) {
    check(count, this.remaining());
    return readItems.call(this, count);
  };
  prototype.read_array_items = function readBounded(count, type) {
    check(count, type.width === 0 ? EMPTY_ITEMS_MAX : this.remaining());
    return readArrayItems.call(this, count, type);
  };
}

function check(count: number, countMax: number): void {
  if (count > countMax) throw new ProtocolError(`${count} items are announced, ${countMax} can be`);
}

boundDecoder(codec.Reader);

/** Decodes one AMQP value from the start of the bytes. Throws when they are not one. */
export function decodeValue(bytes: Buffer): Typed {
  return new codec.Reader(bytes).read();
}

export function encodeValues(values: readonly Typed[]): Buffer {
  const writer = new codec.Writer();
  for (const value of values) writer.write(value);
  return Buffer.from(writer.toBuffer());
}

/** The items of a map: key, value, key, value... Empty when the value is not a map. */
export function mapItems(value: Typed): Typed[] {
  return types.is_map(value) ? (value.value as Typed[]) : [];
}
