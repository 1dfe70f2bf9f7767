import { join } from 'node:path';
import { startAdminServer } from './admin/admin-server.ts';
import { type AmqpServer, startAmqpServer } from './amqp/amqp-server.ts';
import { type Clock, systemClock } from './clock.ts';
import {
  type ControlServer,
  createControl,
  type EmulatorControl,
  startControlServer,
} from './control/control-server.ts';
import { createFaults } from './faults.ts';
import { type Namespace, openNamespace, type Tenant } from './namespace.ts';
import type { TlsIdentity } from './port-server.ts';
import type { QueueProperties } from './queue/queue-properties.ts';
import type { SharedAccessKey, SharedAccessRule } from './shared-access-signature.ts';
import { openLmdbStore } from './store/lmdb-store.ts';
import { createMemoryStore } from './store/memory-store.ts';

/** A namespace and the queues to create in it. */
export interface NamespaceSeed {
  readonly name: string;
  readonly queues?: readonly QueueSeed[];
}

/** A queue to create at the start, unless it is there already. */
export type QueueSeed = string | (Partial<QueueProperties> & { readonly name: string });

export interface EmulatorOptions {
  /** The folder that keeps the messages; without it they are kept in memory. */
  readonly location?: string;
  /** Is 127.0.0.1 by default. */
  readonly host?: string;
  /** 0, the default, takes a free port. */
  readonly amqpPort?: number;
  /** 0, the default, takes a free port. */
  readonly adminPort?: number;
  readonly queues?: readonly QueueSeed[];
  /**
   * More namespaces beside the one that has the queues above. A client gets the one whose name is
   * the first label of the host that it asks for.
   */
  readonly namespaces?: readonly NamespaceSeed[];
  /** With a certificate both ports take TLS connections as well as plain ones. */
  readonly tls?: TlsIdentity;
  /** When given, control is served over HTTP on this port, to anybody; 0 takes a free one. */
  readonly controlPort?: number;
  /**
   * More names under which the control and, while any token will do, the administration may be asked.
   * Addresses, names without a dot and those of the service need not be named; pages in a browser may not.
   */
  readonly allowedHosts?: readonly string[];
  readonly clock?: Clock;
  /** When given, tokens are verified against it; without it any token will do. */
  readonly sharedAccessKey?: SharedAccessKey;
  /** More keys, each with the rights that it gives. */
  readonly sharedAccessRules?: readonly SharedAccessRule[];
  /** Takes errors that are nobody's answer, such as a broken store. Default: process warning. */
  readonly onFailure?: (error: unknown) => void;
}

export interface Emulator {
  readonly amqpPort: number;
  readonly adminPort: number;
  /** Is what a ServiceBusClient takes. */
  readonly connectionString: string;
  /** Is what a ServiceBusAdministrationClient takes, together with usePlainHttp. */
  readonly adminConnectionString: string;
  /** Undefined unless it was asked for. */
  readonly controlPort: number | undefined;
  /** Controls the first namespace. */
  readonly control: EmulatorControl;
  /** Returns the control of the named namespace; throws when there is none. */
  controlOf(namespace: string): EmulatorControl;
  close(): Promise<void>;
}

const DEFAULT_HOST = '127.0.0.1';
const DEFAULT_NAMESPACE = 'emulator';
const NAMESPACE_NAME = /^[A-Za-z](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?$/;
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

/** Each namespace has a folder of its own; the first one that of the emulator. */
async function openTenant(
  { name, queues = [] }: NamespaceSeed,
  location: string | undefined,
  { clock, onFailure }: { clock: Clock; onFailure: (error: unknown) => void },
): Promise<{ tenant: Tenant; close: () => Promise<void> }> {
  const store = location === undefined ? createMemoryStore() : await openLmdbStore(location);
  try {
    const namespace = await openNamespace({ store, clock, onFailure });
    await createSeeds(namespace, queues);
    const close = async (): Promise<void> => {
      namespace.close();
      await store.close();
    };
    return { tenant: { name, namespace, faults: createFaults() }, close };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The first namespace, and the others in the order in which they were named. */
function namespacesOf({ queues = [], namespaces = [] }: EmulatorOptions): NamespaceSeed[] {
  const all = [{ name: DEFAULT_NAMESPACE, queues }, ...namespaces];
  const names = all.map(({ name }) => name.toLowerCase());
  const problem = all.find(
    ({ name }, index) => !NAMESPACE_NAME.test(name) || names.indexOf(name.toLowerCase()) < index,
  );
  if (problem === undefined) return all;
  throw new Error(
    `The namespace name '${problem.name}' is taken or invalid: use letters, digits and hyphens`,
  );
}

type FindControl = (namespace: string | undefined) => EmulatorControl | undefined;

function createControls(tenants: readonly Tenant[], amqp: AmqpServer): FindControl {
  const { dropConnections, dropLinks } = amqp;
  const controls = new Map(
    tenants.map((tenant) => [
      tenant.name.toLowerCase(),
      createControl({ tenant, dropConnections, dropLinks }),
    ]),
  );
  return (name = DEFAULT_NAMESPACE) => controls.get(name.toLowerCase());
}

function controlOf(find: FindControl, name: string): EmulatorControl {
  const control = find(name);
  if (control === undefined) throw new Error(`The emulator has no namespace '${name}'`);
  return control;
}

async function startControl(
  { controlPort: port, host = DEFAULT_HOST, allowedHosts = [], onFailure = warn }: EmulatorOptions,
  find: FindControl,
): Promise<ControlServer | undefined> {
  if (port === undefined) return undefined;
  return startControlServer({ host, port, allowedHosts, find, onFailure });
}

/** Starts an emulator. Rejects with the socket's error (code EADDRINUSE) when a port is taken. */
export async function createEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { location, host = DEFAULT_HOST, clock = systemClock, onFailure = warn } = options;
  const seeds = namespacesOf(options);
  // Taken apart in reverse: the servers first, the stores last.
  const closers: (() => void | Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const tenants: Tenant[] = [];
    for (const seed of seeds) {
      const isFirst = tenants.length === 0;
      const folder =
        location === undefined || isFirst ? location : join(location, 'namespaces', seed.name);
      const opened = await openTenant(seed, folder, { clock, onFailure });
      closers.push(opened.close);
      tenants.push(opened.tenant);
    }
    const accessRules = accessRulesOf(options);
    const shared = {
      tenants,
      clock,
      onFailure,
      host,
      accessRules,
      allowedHosts: options.allowedHosts ?? [],
      tls: options.tls,
    };
    const amqp = await startAmqpServer({ ...shared, port: options.amqpPort ?? 0 });
    closers.push(() => amqp.close());
    const admin = await startAdminServer({
      ...shared,
      port: options.adminPort ?? 0,
      acceptAmqp: amqp.accept,
    });
    closers.push(() => admin.close());
    const find = createControls(tenants, amqp);
    const control = await startControl(options, find);
    closers.push(() => control?.close());
    const key = options.sharedAccessKey ?? options.sharedAccessRules?.[0] ?? DEFAULT_KEY;
    return {
      amqpPort: amqp.port,
      adminPort: admin.port,
      controlPort: control?.port,
      connectionString: connectionString(host, amqp.port, key),
      adminConnectionString: connectionString(host, admin.port, key),
      control: controlOf(find, DEFAULT_NAMESPACE),
      controlOf: (name) => controlOf(find, name),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The part of a request of the Azure SDK that must change. */
interface PipelineRequest {
  url: string;
  allowInsecureConnection?: boolean;
}

interface PipelinePolicy {
  readonly name: string;
  sendRequest<Request extends PipelineRequest, Response>(
    request: Request,
    next: (request: Request) => Promise<Response>,
  ): Promise<Response>;
}

/** Is a ServiceBusAdministrationClient, or any other client of the Azure SDK. */
export interface PipelineClient {
  readonly pipeline: { addPolicy(policy: PipelinePolicy): void };
}

/**
 * Makes an administration client talk plain HTTP. @azure/service-bus 7.9.5 asks for https whatever
 * its connection string says; the emulator has no certificate. Returns the client.
 */
export function usePlainHttp<Client extends PipelineClient>(client: Client): Client {
  client.pipeline.addPolicy({
    name: 'usePlainHttp',
    sendRequest(request, next) {
      request.url = request.url.replace(/^https:/, 'http:');
      request.allowInsecureConnection = true;
      return next(request);
    },
  });
  return client;
}
