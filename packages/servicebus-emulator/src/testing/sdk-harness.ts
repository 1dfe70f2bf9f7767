import {
  ServiceBusAdministrationClient,
  ServiceBusClient,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from '@azure/service-bus';
import {
  createEmulator,
  type Emulator,
  type EmulatorOptions,
  usePlainHttp,
} from '../create-emulator.ts';

/** An emulator with the SDK's clients on it. */
export interface SdkHarness {
  readonly emulator: Emulator;
  readonly client: ServiceBusClient;
  readonly admin: ServiceBusAdministrationClient;
  /** What the emulator reported as its own failures: empty in every test. */
  readonly failures: unknown[];
  close(): Promise<void>;
}

/** Without a second try, so the first one has as long as a busy machine may need. */
const RETRIES = { maxRetries: 0, timeoutInMs: 30_000 };

export async function startSdkHarness(options: EmulatorOptions = {}): Promise<SdkHarness> {
  const failures: unknown[] = [];
  const emulator = await createEmulator({ onFailure: (e) => failures.push(e), ...options });
  const client = new ServiceBusClient(emulator.connectionString, { retryOptions: RETRIES });
  const admin = usePlainHttp(new ServiceBusAdministrationClient(emulator.adminConnectionString));
  return {
    emulator,
    client,
    admin,
    failures,
    async close() {
      await client.close();
      await emulator.close();
    },
  };
}

const RECEIVE_MS_MAX = 30_000;

/** Receives exactly the count, however many calls it takes. Throws after a deadline. */
export async function receiveExactly(
  receiver: ServiceBusReceiver,
  count: number,
): Promise<ServiceBusReceivedMessage[]> {
  const messages: ServiceBusReceivedMessage[] = [];
  const deadline = Date.now() + RECEIVE_MS_MAX;
  while (messages.length < count) {
    if (Date.now() > deadline) throw new Error(`Received ${messages.length} of ${count} messages`);
    const missing = count - messages.length;
    messages.push(...(await receiver.receiveMessages(missing, { maxWaitTimeInMs: 1_000 })));
  }
  return messages;
}

/** Receives one message. Throws after a deadline. */
export async function receiveOne(receiver: ServiceBusReceiver): Promise<ServiceBusReceivedMessage> {
  const [message] = await receiveExactly(receiver, 1);
  if (message === undefined) throw new Error('Received no message');
  return message;
}

/** What arrives within a moment; for tests that expect nothing. */
export function receiveBriefly(receiver: ServiceBusReceiver): Promise<ServiceBusReceivedMessage[]> {
  return receiver.receiveMessages(100, { maxWaitTimeInMs: 200 });
}

/** The number that the broker gave the message. Throws when it has none. */
export function sequenceNumberOf(
  message: ServiceBusReceivedMessage,
): NonNullable<ServiceBusReceivedMessage['sequenceNumber']> {
  if (message.sequenceNumber === undefined) throw new Error('The message has no number');
  return message.sequenceNumber;
}
