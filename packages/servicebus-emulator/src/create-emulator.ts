import { startAdminServer } from './admin/admin-server.ts';
import { startAmqpServer } from './amqp/amqp-server.ts';
import { systemClock, type Clock } from './clock.ts';
import { createFaults } from './faults.ts';
import { openNamespace, type Namespace } from './namespace.ts';
import type { QueueProperties } from './queue/queue-properties.ts';
import type { SharedAccessKey, SharedAccessRule } from './shared-access-signature.ts';
import { openLmdbStore } from './store/lmdb-store.ts';
import { createMemoryStore } from './store/memory-store.ts';

/** A queue to create at the start, unless it is there already. */
export type QueueSeed = string | (Partial<QueueProperties> & { readonly name: string });

export interface EmulatorOptions {
  /** The folder that keeps the messages; without it they are kept in memory. */
  readonly location?: string;
  /** 127.0.0.1 by default. */
  readonly host?: string;
  /** 0, the default, takes a free port. */
  readonly amqpPort?: number;
  /** 0, the default, takes a free port. */
  readonly adminPort?: number;
  readonly queues?: readonly QueueSeed[];
  readonly clock?: Clock;
  /** When given, tokens are verified against it; without it any token will do. */
  readonly sharedAccessKey?: SharedAccessKey;
  /** More keys, each with the rights that it gives. */
  readonly sharedAccessRules?: readonly SharedAccessRule[];
  /** Takes errors that are nobody's answer, such as a broken store. Default: process warning. */
  readonly onFailure?: (error: unknown) => void;
}

/** Faults for tests. They throw when there is no such queue. */
export interface EmulatorControl {
  /** The queue delivers nothing and leaves sends unanswered until it is resumed. */
  pauseQueue(name: string): void;
  resumeQueue(name: string): void;
  /** Cuts every AMQP connection without a word. Locks stay until they expire. */
  dropConnections(): void;
  /** Refuses the next sends (each a message or a batch) with the AMQP condition. */
  failNext(name: string, count: number, condition: string): void;
}

export interface Emulator {
  readonly amqpPort: number;
  readonly adminPort: number;
  /** For ServiceBusClient. */
  readonly connectionString: string;
  /** For ServiceBusAdministrationClient, together with usePlainHttp. */
  readonly adminConnectionString: string;
  readonly control: EmulatorControl;
  close(): Promise<void>;
}

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_KEY: SharedAccessKey = { name: 'RootManageSharedAccessKey', key: 'SAS_KEY_VALUE' };

function connectionString(host: string, port: number, { name, key }: SharedAccessKey): string {
  // A server that listens on every address is reached by this machine's own.
  const reachable = host === '0.0.0.0' || host === '::' ? DEFAULT_HOST : host;
  const address = reachable.includes(':') ? `[${reachable}]` : reachable;
  return (
    `Endpoint=sb://${address}:${port};SharedAccessKeyName=${name};SharedAccessKey=${key};` +
    'UseDevelopmentEmulator=true'
  );
}

async function createSeeds(namespace: Namespace, seeds: readonly QueueSeed[]): Promise<void> {
  for (const seed of seeds) {
    const { name, ...properties } = typeof seed === 'string' ? { name: seed } : seed;
    const outcome = await namespace.create(name, properties);
    if (outcome.kind === 'invalid') throw new Error(outcome.problem);
  }
}

function createControl(
  namespace: Namespace,
  faults: ReturnType<typeof createFaults>,
): Omit<EmulatorControl, 'dropConnections'> {
  const find = (name: string) => {
    const entity = namespace.find(name);
    if (entity === undefined) throw new Error(`The emulator has no queue '${name}'`);
    return entity;
  };
  return {
    pauseQueue(name) {
      faults.pause(find(name).main.name);
      find(name).main.setPaused(true);
    },
    resumeQueue(name) {
      faults.resume(find(name).main.name);
      find(name).main.setPaused(false);
    },
    failNext: (name, count, condition) => faults.failNext(find(name).main.name, count, condition),
  };
}

/** Undefined, for anybody may do anything, unless a key or rule was given. */
function accessRulesOf(options: EmulatorOptions): readonly SharedAccessRule[] | undefined {
  const { sharedAccessKey, sharedAccessRules = [] } = options;
  if (sharedAccessKey === undefined && sharedAccessRules.length === 0) return undefined;
  return sharedAccessKey === undefined
    ? sharedAccessRules
    : [sharedAccessKey, ...sharedAccessRules];
}

const warn = (error: unknown): void => {
  process.emitWarning(error instanceof Error ? error : String(error), 'ServiceBusEmulator');
};

/** Starts an emulator. Rejects with the socket's error (code EADDRINUSE) when a port is taken. */
export async function createEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { location, host = DEFAULT_HOST, clock = systemClock, onFailure = warn } = options;
  const store = location === undefined ? createMemoryStore() : await openLmdbStore(location);
  // Taken apart in reverse: the servers first, the store last.
  const closers: (() => void | Promise<void>)[] = [() => store.close()];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const namespace = await openNamespace({ store, clock, onFailure });
    closers.push(() => namespace.close());
    await createSeeds(namespace, options.queues ?? []);
    const faults = createFaults();
    const shared = { namespace, clock, onFailure, host, accessRules: accessRulesOf(options) };
    const amqp = await startAmqpServer({ ...shared, faults, port: options.amqpPort ?? 0 });
    closers.push(() => amqp.close());
    const admin = await startAdminServer({ ...shared, port: options.adminPort ?? 0 });
    closers.push(() => admin.close());
    const key = options.sharedAccessKey ?? options.sharedAccessRules?.[0] ?? DEFAULT_KEY;
    return {
      amqpPort: amqp.port,
      adminPort: admin.port,
      connectionString: connectionString(host, amqp.port, key),
      adminConnectionString: connectionString(host, admin.port, key),
      control: {
        ...createControl(namespace, faults),
        dropConnections: () => amqp.dropConnections(),
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
