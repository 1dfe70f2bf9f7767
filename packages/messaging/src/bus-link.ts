import type { ServiceBusClient } from '@azure/service-bus';
import { TransientError } from '@tandem/core';
import {
  type BusConnection,
  clientFactory,
  closeClient,
  namespaceOf,
  withDeadline,
} from './connection.ts';
import { type BusCall, translateBusError } from './translate-bus-error.ts';

export interface BusLinkOptions<Opened> {
  readonly connection: BusConnection;
  readonly queue: string;
  /** For each call, in milliseconds. */
  readonly timeoutMs: number;
  /** Makes what the calls use; must not wait for the network. */
  readonly open: (client: ServiceBusClient) => Opened;
}

export interface BusAction {
  /** As in "could not be reached to ...". */
  readonly name: string;
  /** By how much the call may take longer than others, in milliseconds. */
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
/** To close a client whose namespace is dead can take a minute; nobody waits longer than this. */
const CLOSE_WAIT_MS = 2_000;

export const CALL_TIMEOUT_MS = 10_000;

/**
 * The connection to one queue. The library's own recovery has left links that never answered again,
 * so this does not rely on it: after a call that failed as unavailable, the whole client is thrown
 * away, and the next call makes a new one.
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
