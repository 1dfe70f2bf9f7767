import type {
  ServiceBusMessage,
  ServiceBusMessageBatch,
  ServiceBusSender,
} from '@azure/service-bus';
import { type ChangePublisher, type OutboundMessage, TerminalError } from '@tandem/core';
import { type BusConnection, BusLink, CALL_TIMEOUT_MS } from './bus-link.ts';

export interface ServiceBusPublisherOptions {
  /** Names the peer's region. */
  readonly peer: string;
  /** Leads to the peer's namespace. */
  readonly connection: BusConnection;
  readonly queue: string;
  /** Bounds each call over the network, in milliseconds. */
  readonly timeoutMs?: number;
}

/** Service Bus takes 4,500 messages in one batch, but none of more than 1 MiB. */
const BATCH_MESSAGES_MAX = 1_000;
const BATCH_BYTES_MAX = 1_024 * 1_024;
const CONTENT_TYPE = 'application/octet-stream';

type SenderLink = BusLink<ServiceBusSender>;

/** Sends in batches that fill what the namespace takes in one transfer. */
export function createServiceBusPublisher(options: ServiceBusPublisherOptions): ChangePublisher {
  const { peer, connection, queue, timeoutMs = CALL_TIMEOUT_MS } = options;
  const link: SenderLink = new BusLink({
    connection,
    queue,
    timeoutMs,
    open: (client) => client.createSender(queue),
  });
  return {
    peer,
    async publish(messages) {
      link.checkOpen();
      if (messages.length === 0) return;
      let batch = await createBatch(link);
      for (const message of messages) {
        if (batch.count < BATCH_MESSAGES_MAX && tryAdd(batch, message)) continue;
        if (batch.count > 0) {
          await send(link, batch);
          batch = await createBatch(link);
          if (tryAdd(batch, message)) continue;
        }
        throw tooLarge(message, { queue, bytesMax: batch.maxSizeInBytes });
      }
      await send(link, batch);
    },
    close: () => link.close(),
  };
}

/** The namespace says at the start how much it takes: 256 KiB, or up to 100 MiB on Premium. */
function createBatch(link: SenderLink): Promise<ServiceBusMessageBatch> {
  return link.use({ name: 'prepare to send' }, async (sender, abortSignal) => {
    const batch = await sender.createMessageBatch({ abortSignal });
    if (batch.maxSizeInBytes <= BATCH_BYTES_MAX) return batch;
    return sender.createMessageBatch({ abortSignal, maxSizeInBytes: BATCH_BYTES_MAX });
  });
}

function send(link: SenderLink, batch: ServiceBusMessageBatch): Promise<void> {
  return link.use({ name: 'send' }, (sender, abortSignal) =>
    sender.sendMessages(batch, { abortSignal }),
  );
}

function tryAdd(batch: ServiceBusMessageBatch, message: OutboundMessage): boolean {
  const { messageId, subject, body } = message;
  const sent: ServiceBusMessage = {
    messageId,
    subject,
    contentType: CONTENT_TYPE,
    body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
  };
  return batch.tryAddMessage(sent);
}

function tooLarge(
  { messageId, body }: OutboundMessage,
  { queue, bytesMax }: { readonly queue: string; readonly bytesMax: number },
): TerminalError {
  const bytes = body.byteLength;
  return new TerminalError(
    'MESSAGE_TOO_LARGE',
    `Message "${messageId}" has ${bytes} bytes; queue "${queue}" takes at most ${bytesMax}, headers ` +
      'included. Send less in one message.',
    { details: { messageId, queue, bytes, bytesMax } },
  );
}
