import type { Clock } from './clock.ts';
import type { Faults } from './faults.ts';
import { createLockTokens } from './queue/lock-table.ts';
import { openQueue, type Queue } from './queue/queue.ts';
import {
  DEFAULT_QUEUE_PROPERTIES,
  findFixedChange,
  findPropertyProblem,
  type QueueProperties,
} from './queue/queue-properties.ts';
import type { SharedAccessRule } from './shared-access-signature.ts';
import type { EmulatorStore, StoredQueue } from './store/message-store.ts';

/** A queue with its dead letters and its place in the catalogue. */
export interface QueueEntity {
  readonly main: Queue;
  readonly deadLetters: Queue;
  readonly stored: StoredQueue;
}

type CreateOutcome =
  | { readonly kind: 'created'; readonly entity: QueueEntity }
  | { readonly kind: 'exists' }
  | { readonly kind: 'invalid'; readonly problem: string };

type UpdateOutcome =
  | { readonly kind: 'updated'; readonly entity: QueueEntity }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'invalid'; readonly problem: string };

/** Whoever has links to queues that may have to be closed. */
interface QueueListener {
  readonly removed: (entity: QueueEntity) => void;
  readonly changed: (entity: QueueEntity) => void;
}

/** The queues of the emulator. Names are compared without regard to case, as in the service. */
export interface Namespace {
  find(name: string): QueueEntity | undefined;
  /** Returns them in order of name. */
  list(): QueueEntity[];
  create(name: string, properties: Partial<QueueProperties>): Promise<CreateOutcome>;
  update(name: string, properties: Partial<QueueProperties>): Promise<UpdateOutcome>;
  /** False when there is no such queue. */
  remove(name: string): Promise<boolean>;
  listen(listener: QueueListener): { stop(): void };
  close(): void;
}

export interface NamespaceOptions {
  readonly store: EmulatorStore;
  readonly clock: Clock;
  readonly onFailure: (error: unknown) => void;
}

interface State extends NamespaceOptions {
  readonly entities: Map<string, QueueEntity>;
  /** How to stop to watch whether a queue is idle, by key. */
  readonly watches: Map<string, () => void>;
  /** Creations under way, so that two for one name do not both succeed. */
  readonly creating: Set<string>;
  readonly listeners: Set<QueueListener>;
}

const QUEUE_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?$/;

const keyOf = (name: string): string => name.toLowerCase();

function findNameProblem(name: string): string | undefined {
  if (QUEUE_NAME.test(name)) return undefined;
  return (
    `The queue name '${name}' is invalid: use 1 to 260 letters, digits, periods, hyphens, ` +
    'underscores and slashes, with a letter or digit at both ends'
  );
}

function watch(state: State, { main, deadLetters, stored }: QueueEntity): void {
  const key = keyOf(stored.name);
  state.watches.get(key)?.();
  const stop = deleteWhenIdle({
    queues: [main, deadLetters],
    idleMs: stored.properties.autoDeleteOnIdleMs,
    clock: state.clock,
    remove: () => void remove(state, stored.name).catch(state.onFailure),
  });
  state.watches.set(key, stop);
}

async function open(state: State, stored: StoredQueue): Promise<QueueEntity> {
  const queues = await openQueue({
    id: stored.id,
    name: stored.name,
    properties: stored.properties,
    store: state.store.messages,
    clock: state.clock,
    createLockToken: createLockTokens(),
    onFailure: state.onFailure,
  });
  const entity = { ...queues, stored };
  state.entities.set(keyOf(stored.name), entity);
  watch(state, entity);
  return entity;
}

async function addQueue(
  state: State,
  name: string,
  properties: QueueProperties,
): Promise<QueueEntity> {
  const { catalog } = state.store;
  const nowMs = state.clock.nowMs();
  const id = await catalog.allocateId();
  const stored = { id, name, properties, createdAtMs: nowMs, updatedAtMs: nowMs };
  await catalog.save(stored);
  return open(state, stored);
}

async function create(
  state: State,
  name: string,
  changes: Partial<QueueProperties>,
): Promise<CreateOutcome> {
  const properties = { ...DEFAULT_QUEUE_PROPERTIES, ...changes };
  const problem = findNameProblem(name) ?? findPropertyProblem(properties);
  if (problem !== undefined) return { kind: 'invalid', problem };
  const key = keyOf(name);
  if (state.entities.has(key) || state.creating.has(key)) return { kind: 'exists' };
  state.creating.add(key);
  try {
    return { kind: 'created', entity: await addQueue(state, name, properties) };
  } finally {
    state.creating.delete(key);
  }
}

async function update(
  state: State,
  name: string,
  changes: Partial<QueueProperties>,
): Promise<UpdateOutcome> {
  const { entities, store, clock, listeners } = state;
  const entity = entities.get(keyOf(name));
  if (entity === undefined) return { kind: 'not-found' };
  const properties = { ...entity.stored.properties, ...changes };
  const problem =
    findPropertyProblem(properties) ?? findFixedChange(entity.stored.properties, properties);
  if (problem !== undefined) return { kind: 'invalid', problem };
  const stored = { ...entity.stored, properties, updatedAtMs: clock.nowMs() };
  const updated = { ...entity, stored };
  entities.set(keyOf(name), updated);
  entity.main.setProperties(properties);
  entity.deadLetters.setProperties(properties);
  watch(state, updated);
  for (const listener of listeners) listener.changed(updated);
  await store.catalog.save(stored);
  return { kind: 'updated', entity: updated };
}

function close({ main, deadLetters }: QueueEntity): void {
  main.close();
  deadLetters.close();
}

async function remove(
  { entities, listeners, watches, store }: State,
  name: string,
): Promise<boolean> {
  const entity = entities.get(keyOf(name));
  if (entity === undefined) return false;
  entities.delete(keyOf(name));
  watches.get(keyOf(name))?.();
  watches.delete(keyOf(name));
  for (const listener of listeners) listener.removed(entity);
  close(entity);
  await store.catalog.drop(entity.stored.id);
  return true;
}

/** Opens every queue of the store. */
export async function openNamespace(options: NamespaceOptions): Promise<Namespace> {
  const state: State = {
    ...options,
    entities: new Map(),
    watches: new Map(),
    creating: new Set(),
    listeners: new Set(),
  };
  const { entities, listeners, watches } = state;
  for (const stored of await options.store.catalog.load()) await open(state, stored);
  return {
    find: (name) => entities.get(keyOf(name)),
    list: () => [...entities].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entity]) => entity),
    create: (name, properties) => create(state, name, properties),
    update: (name, properties) => update(state, name, properties),
    remove: (name) => remove(state, name),
    listen(listener) {
      listeners.add(listener);
      return { stop: () => listeners.delete(listener) };
    },
    close() {
      for (const stop of watches.values()) stop();
      for (const entity of entities.values()) close(entity);
    },
  };
}

interface IdleWatch {
  /** The queue and its dead letters: use of either keeps both. */
  readonly queues: readonly Queue[];
  readonly idleMs: number;
  readonly clock: Clock;
  readonly remove: () => void;
}

/**
 * Removes a queue that nobody has used for so long: sent to, received from, looked into, or changed,
 * with no receiver waiting and no message scheduled. Returns how to stop.
 */
function deleteWhenIdle({ queues, idleMs, clock, remove }: IdleWatch): () => void {
  if (!Number.isFinite(idleMs)) return () => undefined;
  let cancel: () => void = () => undefined;
  const look = (): void => {
    const nowMs = clock.nowMs();
    const isInUse = queues.some((queue) => queue.isInUse());
    const lastUsedAtMs = Math.max(...queues.map((queue) => queue.lastUsedAtMs()));
    const leftMs = (isInUse ? nowMs : lastUsedAtMs) + idleMs - nowMs;
    if (leftMs <= 0) remove();
    else cancel = clock.schedule(leftMs, look);
  };
  look();
  return () => cancel();
}

/** The keys that count for one queue only, each rule with its two. */
export interface QueueAccessRules {
  /** In lower case, as the paths of claims are. */
  readonly queueName: string;
  readonly rules: readonly SharedAccessRule[];
}

/** The rules of the queue that a path leads to, or to whose dead letters or management it leads. */
export function accessRulesOf(namespace: Namespace, path: string): QueueAccessRules {
  const entity = namespace.find(path.replace(/\/\$.*$/, ''));
  const rules = entity?.stored.properties.authorizationRules ?? [];
  return {
    queueName: entity?.stored.name.toLowerCase() ?? '',
    rules: rules.flatMap(({ name, rights, primaryKey, secondaryKey }) => [
      { name, rights, key: primaryKey },
      { name, rights, key: secondaryKey },
    ]),
  };
}

/** One namespace of the emulator, with the faults that tests put into it. */
export interface Tenant {
  readonly name: string;
  readonly namespace: Namespace;
  readonly faults: Faults;
}

/**
 * The tenant of the host that a client asked for: the one whose name is the host's first label, as
 * in `east.servicebus.windows.net`, else the first. There must be one at least.
 */
export function tenantOf(tenants: readonly Tenant[], host: string | undefined): Tenant {
  const label = (host ?? '').split(/[.:]/)[0]?.toLowerCase();
  const tenant = tenants.find(({ name }) => name.toLowerCase() === label) ?? tenants[0];
  if (tenant === undefined) throw new Error('The emulator has no namespace');
  return tenant;
}
