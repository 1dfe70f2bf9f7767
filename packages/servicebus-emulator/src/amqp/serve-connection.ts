import type { Connection, EventContext, Receiver, Sender } from 'rhea';
import type { Clock } from '../clock.ts';
import { accessRulesOf, type Tenant, tenantOf } from '../namespace.ts';
import type { Queue } from '../queue/queue.ts';
import { type AccessRight, findRule, type SharedAccessRule } from '../shared-access-signature.ts';
import { boundLinks, boundSessions, closeDisabledLinks, closeLinksTo } from './bound-links.ts';
import { type Claims, createClaims, loginOf } from './claims-node.ts';
import {
  askedFor,
  detachForced,
  entityNotFound,
  notAllowed,
  notImplemented,
  sessionRequired,
  unauthorized,
} from './conditions.ts';
import { openIncomingLink, type QueueUse, refusalOfUse } from './incoming-link.ts';
import { handleManagementRequest } from './management/management-node.ts';
import { openOutgoingLink } from './outgoing-link.ts';
import {
  type Address,
  createReplyLinks,
  findQueue,
  isDeadLetterPath,
  openRequestNode,
  parseAddress,
  type ReplyLinks,
} from './request-node.ts';
import {
  type AmqpCondition,
  boundDeliveries,
  boundDispositions,
  separateDirections,
} from './rhea-internals.ts';
import { openSessionLink, SESSION_FILTER } from './session-link.ts';

export interface ServeOptions {
  /** Holds at least one. */
  readonly tenants: readonly Tenant[];
  readonly clock: Clock;
  /** Undefined when anybody may do anything. */
  readonly accessRules: readonly SharedAccessRule[] | undefined;
  readonly onFailure: (error: unknown) => void;
}

const TRANSFER_DESTINATION = 'com.microsoft:transfer-destination-address';

interface ConnectionState extends ServeOptions {
  readonly connection: Connection;
  readonly claims: Claims;
  readonly replies: ReplyLinks;
  /** How to stop each link that delivers. */
  readonly stops: Map<Sender, () => void>;
}

/** The host that the client named in its open performative. */
function hostOf(connection: Connection): string | undefined {
  const { hostname } = connection as unknown as { readonly hostname?: string | null };
  return hostname ?? undefined;
}

function notFound(connection: Connection, path: string): AmqpCondition {
  return entityNotFound(hostOf(connection) ?? 'emulator', path);
}

/** The queue of the address, or why a link to it is refused. */
function resolve(
  { connection, tenants, claims }: ConnectionState,
  { path }: Exclude<Address, { node: 'claims' }>,
  rights: readonly AccessRight[],
): Queue | AmqpCondition {
  if (!claims.covers(path, rights)) {
    return unauthorized(
      claims.isKnown(path)
        ? `Unauthorized access. '${rights.join("' or '")}' claim(s) are required to perform this ` +
            `operation. Resource: '${path}'.`
        : `Unauthorized access to '${path}': no valid token was put on $cbs for it.`,
    );
  }
  const { namespace, faults } = tenantOf(tenants, hostOf(connection));
  const queue = findQueue(namespace, path);
  if (queue === undefined) return notFound(connection, path);
  const condition = faults.takeFailure(queue.name, 'attach');
  if (condition !== undefined) return askedFor(condition);
  return refusalOfUse(queue, useOf(rights)) ?? queue;
}

/** What a link is for that needs one of the rights. */
function useOf(rights: readonly AccessRight[]): QueueUse {
  if (rights.length > 1) return 'manage';
  return rights.includes('Send') ? 'send' : 'receive';
}

const isQueue = (found: Queue | AmqpCondition): found is Queue => 'peek' in found;

/** The client wants to send: messages to a queue, or requests to a node. */
function acceptReceiver(state: ConnectionState, receiver: Receiver): void {
  const { replies, onFailure } = state;
  const { faults } = tenantOf(state.tenants, hostOf(state.connection));
  const { address: target } = (receiver.target ?? {}) as { address?: unknown };
  if (typeof target !== 'string') {
    // A coordinator has no address; neither has a link for messages that name their own.
    receiver.close(
      notImplemented(
        'The emulator has no transactions: send without one, on a link to the address of a queue.',
      ),
    );
    return;
  }
  if (TRANSFER_DESTINATION in (receiver.properties ?? {})) {
    receiver.close(notImplemented('The emulator cannot send through another entity.'));
    return;
  }
  const address = parseAddress(target);
  if (address.node === 'claims') {
    const handle = async (request: Parameters<Claims['putToken']>[0]) =>
      state.claims.putToken(request);
    openRequestNode(receiver, { replies, handle, onFailure });
    return;
  }
  const queue = resolve(state, address, address.node === 'queue' ? ['Send'] : ['Listen', 'Send']);
  if (!isQueue(queue)) receiver.close(queue);
  else if (address.node === 'management') {
    openRequestNode(receiver, {
      replies,
      handle: (request) => handleManagementRequest({ queue, faults, onFailure }, request),
      onFailure,
    });
  } else if (isDeadLetterPath(address.path)) {
    receiver.close(notAllowed('Messages cannot be sent to a dead-letter queue.'));
  } else openIncomingLink(receiver, { queue, faults, onFailure });
}

/** The client wants to receive: a queue's messages, or the responses of a node. */
function acceptSender(state: ConnectionState, sender: Sender): void {
  const address = parseAddress(sender.source?.address ?? '');
  if (address.node !== 'queue') {
    state.replies.add(sender);
    return;
  }
  const queue = resolve(state, address, ['Listen']);
  const { onFailure } = state;
  const { faults } = tenantOf(state.tenants, hostOf(state.connection));
  const filter = ((sender.source as Sender['source'] | null)?.filter ?? {}) as Record<
    string,
    unknown
  >;
  if (!isQueue(queue)) sender.close(queue);
  else if (SESSION_FILTER in filter) {
    state.stops.set(sender, openSessionLink(sender, { queue, faults, onFailure }));
  } else if (queue.sessions !== undefined) sender.close(sessionRequired());
  else state.stops.set(sender, openOutgoingLink(sender, { queue, faults, onFailure }));
}

function forgetSender({ stops, replies }: ConnectionState, sender: Sender): void {
  stops.get(sender)?.();
  stops.delete(sender);
  replies.remove(sender);
}

export interface ServedConnection {
  /** Lets go of the links when the connection has ended. */
  stop(): void;
  /** Detaches the links to a queue of the tenant. */
  dropLinks(tenant: Tenant, queueName: string): void;
}

/** Closes the links to queues that are removed or disabled. */
function followQueues(
  connection: Connection,
  tenant: Tenant,
  isOf: (tenant: Tenant) => boolean,
): { stop(): void } {
  return tenant.namespace.listen({
    removed({ stored: { name } }) {
      if (isOf(tenant)) closeLinksTo(connection, name, notFound(connection, name));
    },
    changed({ main }) {
      if (isOf(tenant)) closeDisabledLinks(connection, main);
    },
  });
}

/** Serves the links of one connection. */
export function serveConnection(connection: Connection, options: ServeOptions): ServedConnection {
  const isOf = (tenant: Tenant) => tenantOf(options.tenants, hostOf(connection)) === tenant;
  const state: ConnectionState = {
    ...options,
    connection,
    claims: createClaims({
      clock: options.clock,
      rules: options.accessRules,
      host: () => hostOf(connection),
      ownRules: (path) =>
        accessRulesOf(tenantOf(options.tenants, hostOf(connection)).namespace, path),
    }),
    replies: createReplyLinks(),
    stops: new Map(),
  };
  connection.on('connection_open', () => {
    const login = loginOf(connection);
    const rule = findRule(options.accessRules ?? [], login ?? { name: '', key: '' });
    if (rule !== undefined) state.claims.logIn(rule);
  });
  connection.on('session_open', ({ session }: EventContext) => {
    if (session === undefined) return;
    boundSessions(connection);
    separateDirections(session);
    boundLinks(session);
    boundDeliveries(session);
    boundDispositions(session);
  });
  connection.on('receiver_open', ({ receiver }: EventContext) => {
    if (receiver !== undefined) acceptReceiver(state, receiver);
  });
  connection.on('sender_open', ({ sender }: EventContext) => {
    if (sender !== undefined) acceptSender(state, sender);
  });
  connection.on('sender_close', ({ sender }: EventContext) => {
    if (sender !== undefined) forgetSender(state, sender);
  });
  connection.on('session_close', ({ session }: EventContext) => {
    for (const sender of state.stops.keys()) {
      if (sender.session === session) forgetSender(state, sender);
    }
  });
  // rhea prints or throws what nobody listens to; a client that breaks off is no failure here.
  for (const name of ['sender_error', 'receiver_error', 'session_error', 'connection_error']) {
    connection.on(name, () => undefined);
  }
  for (const name of ['connection_close', 'disconnected', 'protocol_error', 'error']) {
    connection.on(name, () => undefined);
  }
  const listeners = options.tenants.map((tenant) => followQueues(connection, tenant, isOf));
  return {
    stop() {
      for (const listener of listeners) listener.stop();
      for (const sender of state.stops.keys()) forgetSender(state, sender);
    },
    dropLinks(tenant, queueName) {
      if (isOf(tenant)) closeLinksTo(connection, queueName, detachForced());
    },
  };
}
