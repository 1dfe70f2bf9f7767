import { randomUUID } from 'node:crypto';
import {
  type CreateQueueOptions,
  ServiceBusAdministrationClient,
  ServiceBusClient,
  type ServiceBusSender,
} from '@azure/service-bus';
import { afterAll, beforeAll } from 'vitest';
import { createEmulator, type Emulator, usePlainHttp } from '../create-emulator.ts';

/**
 * What the conformance suite runs against: this emulator, unless SERVICEBUS_CONNECTION_STRING names
 * another broker. SERVICEBUS_ADMIN_CONNECTION_STRING names its administration endpoint when that
 * is elsewhere, as with the official emulator.
 */
export interface ConformanceTarget {
  /** Undefined when the target is not this emulator. */
  readonly emulator: Emulator | undefined;
  readonly connectionString: string;
  readonly client: ServiceBusClient;
  readonly admin: ServiceBusAdministrationClient;
  /**
   * The shortest lock that the target allows, as an ISO duration and in milliseconds: for tests that only
   * wait for its end, since on a busy machine it may end before anything else happens.
   */
  readonly shortLock: { readonly duration: string; readonly ms: number };
  newQueue(options?: CreateQueueOptions): Promise<TargetQueue>;
  close(): Promise<void>;
}

interface TargetQueue {
  readonly name: string;
  readonly sender: ServiceBusSender;
}

/** The service allows no lock of less than five seconds. */
const SHORT_LOCK = {
  own: { duration: 'PT0.4S', ms: 400 },
  other: { duration: 'PT5S', ms: 5_000 },
};
const RETRIES = { maxRetries: 0, timeoutInMs: 30_000 };

interface Endpoints {
  readonly emulator: Emulator | undefined;
  readonly connectionString: string;
  readonly adminConnectionString: string;
}

async function findEndpoints(failures: unknown[]): Promise<Endpoints> {
  const connectionString = process.env['SERVICEBUS_CONNECTION_STRING'];
  if (connectionString === undefined || connectionString === '') {
    const emulator = await createEmulator({ onFailure: (error) => failures.push(error) });
    const { adminConnectionString } = emulator;
    return { emulator, connectionString: emulator.connectionString, adminConnectionString };
  }
  const admin = process.env['SERVICEBUS_ADMIN_CONNECTION_STRING'];
  return {
    emulator: undefined,
    connectionString,
    adminConnectionString: admin ?? connectionString,
  };
}

function createAdmin({ adminConnectionString }: Endpoints): ServiceBusAdministrationClient {
  const admin = new ServiceBusAdministrationClient(adminConnectionString);
  const isEmulator = adminConnectionString.includes('UseDevelopmentEmulator=true');
  return isEmulator ? usePlainHttp(admin) : admin;
}

async function openConformanceTarget(): Promise<ConformanceTarget> {
  const failures: unknown[] = [];
  const endpoints = await findEndpoints(failures);
  const { emulator, connectionString } = endpoints;
  const client = new ServiceBusClient(connectionString, { retryOptions: RETRIES });
  const admin = createAdmin(endpoints);
  const created: string[] = [];
  return {
    emulator,
    connectionString,
    client,
    admin,
    shortLock: emulator === undefined ? SHORT_LOCK.other : SHORT_LOCK.own,
    async newQueue(options = {}) {
      const name = `conformance-${randomUUID()}`;
      await admin.createQueue(name, options);
      created.push(name);
      return { name, sender: client.createSender(name) };
    },
    async close() {
      await client.close();
      if (emulator === undefined) for (const name of created) await admin.deleteQueue(name);
      await emulator?.close();
      if (failures.length > 0) throw new AggregateError(failures, 'The emulator failed');
    },
  };
}

/** Returns the target of one test file, which is open from before its first test until after its last. */
export function useConformanceTarget(): ConformanceTarget {
  // Filled in later: tests read its fields when they run.
  const target = {} as ConformanceTarget;
  beforeAll(async () => void Object.assign(target, await openConformanceTarget()));
  afterAll(() => target.close());
  return target;
}

const POLL_MS = 20;
const WAIT_MS_MAX = 30_000;

/** Asks until the answer is there. Throws after a deadline. */
export async function waitFor<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadlineMs = Date.now() + WAIT_MS_MAX;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadlineMs) throw new Error(`Waited ${WAIT_MS_MAX} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
