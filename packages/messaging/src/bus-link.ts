import { createRequire } from 'node:module';
import { DefaultAzureCredential } from '@azure/identity';
import {
  ServiceBusAdministrationClient,
  ServiceBusClient,
  type ServiceBusClientOptions,
} from '@azure/service-bus';
import {
  SERVICE_BUS_PARTS,
  TerminalError,
  TransientError,
  tidyConnectionString,
} from '@tandem/core';
import { boundDecoding, type Codec } from './bound-decoding.ts';
import { type BusCall, translateBusError } from './translate-bus-error.ts';

export interface BusLinkOptions<Opened> {
  readonly connection: BusConnection;
  readonly queue: string;
  /** Bounds each call, in milliseconds. */
  readonly timeoutMs: number;
  /** Makes what the calls use; must not wait for the network. */
  readonly open: (client: ServiceBusClient) => Opened;
}

export interface BusAction {
  /** Reads as in "could not be reached to ...". */
  readonly name: string;
  /** Says by how much the call may take longer than others, in milliseconds. */
  readonly extraMs?: number;
}

interface Session<Opened> {
  readonly client: ServiceBusClient;
  readonly opened: Opened;
}

/**
 * Retries are the caller's, who knows more. Besides, after more than one try the library throws an
 * AggregateError without a code, which says neither throttled nor forbidden.
 */
const RETRIES_MAX = 0;
/** Bounds the wait for a client to close: one whose namespace is dead can take a minute. */
const CLOSE_WAIT_MS = 2_000;

export const CALL_TIMEOUT_MS = 10_000;

/**
 * Is the connection to one queue. The library's own recovery has left links that never answered again, so this
 * does not rely on it: after a call that failed as unavailable, the whole client is thrown away, and the next
 * call makes a new one.
 */
export class BusLink<Opened> {
  readonly #options: BusLinkOptions<Opened>;
  readonly #namespace: string;
  readonly #createClient: () => ServiceBusClient;
  readonly #closing = new Set<Promise<void>>();
  #session: Session<Opened> | undefined;
  #isClosed = false;

  /** Throws `CONFIGURATION_INVALID`. Connects when first used. */
  constructor(options: BusLinkOptions<Opened>) {
    this.#options = options;
    this.#namespace = namespaceOf(options.connection);
    this.#createClient = clientFactory(options.connection, {
      retryOptions: {
        maxRetries: RETRIES_MAX,
        timeoutInMs: options.timeoutMs,
      },
    });
  }

  /** Throws what `translateBusError` makes of a failure, or of a call that takes too long. */
  async use<T>(
    action: BusAction,
    work: (opened: Opened, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.checkOpen();
    const session = this.#currentSession();
    const timeoutMs = this.#options.timeoutMs + (action.extraMs ?? 0);
    try {
      return await withDeadline(timeoutMs, (signal) => work(session.opened, signal));
    } catch (error) {
      const translated = translateBusError(error, this.#callOf(action));
      if (translated.code === 'BUS_UNAVAILABLE') this.#discard(session);
      throw translated;
    }
  }

  /** Throws away the client, so that the next call makes a new one. */
  renew(): void {
    if (this.#session !== undefined) this.#discard(this.#session);
  }

  checkOpen(): void {
    if (!this.#isClosed) return;
    const { queue } = this.#options;
    throw new TransientError('BUS_UNAVAILABLE', `The connection to queue "${queue}" is closed.`);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.renew();
    await Promise.all(this.#closing);
  }

  #currentSession(): Session<Opened> {
    if (this.#session === undefined) {
      const client = this.#createClient();
      this.#session = { client, opened: this.#options.open(client) };
    }
    return this.#session;
  }

  #discard(session: Session<Opened>): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    const closing = closeClient(session.client, CLOSE_WAIT_MS)
      // What a thrown-away client says about its end is of no use to anyone.
      .catch(() => undefined)
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #callOf({ name }: BusAction): BusCall {
    return { namespace: this.#namespace, queue: this.#options.queue, action: name };
  }
}

/**
 * Is a connection string, or the fully qualified name of a namespace (`tandem-east.servicebus.windows.net`),
 * for which the process's own identity is used.
 */
export type BusConnection = string;

/** Is in the connection strings of emulators, which have no certificate. */
const EMULATOR = /;\s*UseDevelopmentEmulator=true/i;
const ENDPOINT = /(?:^|;)\s*Endpoint\s*=\s*sb:\/\/([^/;\s]+)/i;
const NAMESPACE = /^[a-z0-9][a-z0-9.-]*(?::\d+)?$/i;

/** Returns the namespace's host; never a secret. Throws `CONFIGURATION_INVALID`. */
export function namespaceOf(connection: BusConnection): string {
  const host = ENDPOINT.exec(connection)?.[1] ?? NAMESPACE.exec(connection)?.[0];
  if (host !== undefined) return host;
  throw new TerminalError(
    'CONFIGURATION_INVALID',
    'A Service Bus connection must be a connection string that begins with Endpoint=sb://, or the ' +
      'fully qualified name of a namespace, such as tandem-east.servicebus.windows.net.',
  );
}

/** Gives a function that makes one client after another, all with the same credential. */
export function clientFactory(
  connection: BusConnection,
  options: ServiceBusClientOptions,
): () => ServiceBusClient {
  const namespace = namespaceOf(connection);
  const layer = findLinkLayer();
  letClosingNeverFail(layer);
  boundDecoding(layer);
  if (isConnectionString(connection)) {
    const tidy = tidyConnectionString(connection, SERVICE_BUS_PARTS);
    return () => new ServiceBusClient(tidy, options);
  }
  const credential = new DefaultAzureCredential();
  return () => new ServiceBusClient(namespace, credential, options);
}

interface Closable {
  close: (...parameters: unknown[]) => Promise<void>;
}

/** Is what is needed of rhea-promise 3.0.3, on which the library stands. */
type Links = Readonly<
  Record<'Receiver' | 'Sender' | 'AwaitableSender' | 'Session', { readonly prototype: Closable }>
>;

/** Returns it by way of the library, so that it is the same instance whatever else is installed. */
function findLinkLayer(): Links & Codec {
  const library = createRequire(import.meta.url).resolve('@azure/service-bus');
  return createRequire(library)('rhea-promise') as Links & Codec;
}

const forgiving = new WeakSet<Closable>();

/**
 * Makes the closing of every AMQP link and session resolve when it fails, or when the namespace has not answered
 * it within the minute that the library gives it. @azure/service-bus 7.9.5 leaves that promise to nobody where it
 * closes the receiver of a receive that was aborted while it drained (`_receiveMessagesImpl`) or whose drain
 * was not answered (`tryDrainReceiver`, which a timer begins as `_finalAction`) and the link of an opening
 * that was aborted (`_initLinkImpl`); so does rhea-promise where creating a link timed out (`createReceiver`,
 * `createSender`). So a namespace that hung for half a minute ended the process a minute later with an
 * unhandled OperationTimeoutError. Nobody can do anything about it: the link is of no more use, and
 * whoever waited for it has been answered by a deadline of ours. To be removed once the library owns them.
 */
function letClosingNeverFail(layer: Links): void {
  for (const { prototype } of Object.values(pickLinks(layer))) {
    if (forgiving.has(prototype)) continue;
    forgiving.add(prototype);
    const { close } = prototype;
    prototype.close = async function closeOrGiveUp(...parameters) {
      await close.apply(this, parameters).catch(() => undefined);
    };
  }
}

function pickLinks({ Receiver, Sender, AwaitableSender, Session }: Links): Links {
  return { Receiver, Sender, AwaitableSender, Session };
}

/** Is what is needed of the inside of ServiceBusClient 7.9.5. */
interface ClientInternals {
  readonly _connectionContext?: {
    readonly connection?: {
      readonly _connection?: { readonly socket?: { readonly destroy?: () => void } };
    };
  };
}

/**
 * Closes the client, and its socket with it: the library leaves the socket open for good when the
 * namespace took the connection and never answered. One for each try would pile up in an outage.
 * Rejects as the library does, or after `timeoutMs`.
 */
async function closeClient(client: ServiceBusClient, timeoutMs: number): Promise<void> {
  try {
    await withDeadline(timeoutMs, () => client.close());
  } finally {
    const { _connectionContext: context } = client as unknown as ClientInternals;
    context?.connection?._connection?.socket?.destroy?.();
  }
}

export function createAdministrationClient(
  connection: BusConnection,
): ServiceBusAdministrationClient {
  const namespace = namespaceOf(connection);
  if (!isConnectionString(connection)) {
    return new ServiceBusAdministrationClient(namespace, new DefaultAzureCredential());
  }
  const client = new ServiceBusAdministrationClient(
    tidyConnectionString(connection, SERVICE_BUS_PARTS),
  );
  if (EMULATOR.test(connection)) speakPlainHttp(client);
  return client;
}

function isConnectionString(connection: BusConnection): boolean {
  return ENDPOINT.test(connection);
}

/** @azure/service-bus 7.9.5 administers by https even where the connection string says emulator. */
function speakPlainHttp(client: ServiceBusAdministrationClient): void {
  client.pipeline.addPolicy({
    name: 'speakPlainHttp',
    sendRequest(request, next) {
      request.url = request.url.replace(/^https:/, 'http:');
      request.allowInsecureConnection = true;
      return next(request);
    },
  });
}

class CallTimedOut extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`);
    this.name = 'CallTimedOut';
  }
}

/**
 * Gives `work` so many milliseconds. Not every call of the Service Bus library takes an abort
 * signal, and some hang for a minute on a dead namespace: so the signal is aborted, and whatever
 * still runs is left behind.
 */
export async function withDeadline<T>(
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new CallTimedOut(timeoutMs));
      controller.abort();
    }, timeoutMs);
  });
  try {
    return await Promise.race([work(controller.signal), expired]);
  } finally {
    clearTimeout(timer);
  }
}
