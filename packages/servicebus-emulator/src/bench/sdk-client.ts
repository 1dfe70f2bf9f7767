import { ServiceBusClient } from '@azure/service-bus';

/** As many messages of 1 KiB as fit into a batch of 256 KiB, and some room. */
const BATCH = 200;
const RECEIVE_MAX = 500;
/** So many batches may wait for their answer. */
const SENDERS = 2;
const RECEIVERS = 2;

export interface Pass {
  readonly connectionString: string;
  readonly queue: string;
  readonly count: number;
  readonly bytes: number;
}

/** Sends the messages in batches. */
export async function sendWithSdk(client: ServiceBusClient, pass: Pass): Promise<void> {
  const sender = client.createSender(pass.queue);
  let left = pass.count;
  const body = Buffer.alloc(pass.bytes);
  const lane = async (): Promise<void> => {
    while (left > 0) {
      const size = Math.min(BATCH, left);
      left -= size;
      await sender.sendMessages(Array.from({ length: size }, () => ({ body })));
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, lane));
  await sender.close();
}

/** Receives and completes so many messages. */
export async function completeWithSdk(client: ServiceBusClient, pass: Pass): Promise<void> {
  let left = pass.count;
  const lane = async (): Promise<void> => {
    const receiver = client.createReceiver(pass.queue, { maxAutoLockRenewalDurationInMs: 0 });
    while (left > 0) {
      const wanted = Math.min(left, RECEIVE_MAX);
      left -= wanted;
      const messages = await receiver.receiveMessages(wanted);
      await Promise.all(messages.map((message) => receiver.completeMessage(message)));
      left += wanted - messages.length;
    }
    await receiver.close();
  };
  await Promise.all(Array.from({ length: RECEIVERS }, lane));
}

/** Sends, receives and completes at the same time. Resolves to messages per second. */
export async function passWithSdk(pass: Pass): Promise<number> {
  const client = new ServiceBusClient(pass.connectionString);
  await sendWithSdk(client, { ...pass, count: BATCH });
  await completeWithSdk(client, { ...pass, count: BATCH });
  const startMs = performance.now();
  await Promise.all([sendWithSdk(client, pass), completeWithSdk(client, pass)]);
  const rate = pass.count / ((performance.now() - startMs) / 1_000);
  await client.close();
  return rate;
}
