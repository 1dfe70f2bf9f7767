import { setTimeout as delay } from 'node:timers/promises';
import type { HistoryLog } from '../history/history-log.ts';
import { type Endpoint, FRONT, type Operation } from '../history/operation.ts';
import type { Random } from '../random.ts';
import { chooseAllValues, chooseSomeValues, toWholeBody } from './choose-values.ts';
import type { CustomerPool } from './customer-pool.ts';
import type { Perform, Transact } from './perform.ts';

export interface ClientOptions {
  readonly home: Endpoint;
  /** All that there are. */
  readonly endpoints: readonly [Endpoint, ...Endpoint[]];
  readonly perform: Perform;
  readonly transact: Transact;
  readonly history: HistoryLog;
  readonly customers: CustomerPool;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** Between two regions. */
const THINK_MS_MAX = 120;
/** After an answer that says that the region is in trouble, or none. */
const BACK_OFF_MS_MIN = 100;
const BACK_OFF_MS_MAX = 400;
const CREATION_TRIES_MAX = 4;
/** How often an acknowledged write is followed by a request, elsewhere, that demands its version. */
const FOLLOW_CHANCE = 0.2;
const CONDITION_CHANCE = 0.1;
const TRANSACT_CHANCE = 0.1;
/** Two customers share one of four buckets in a quarter of all cases, three in a sixteenth. */
const GROUP_TRIES_MAX = 40;

/**
 * Returns how long a client thinks at most between two requests, in milliseconds. Every region applies, archives and judges
 * every write, and the more regions the more writes have not seen each other: at the pace of two regions, three had twice as
 * many conflicts as writes, and on two cores ten minutes later Azurite was still keeping them.
 */
export function thinkMsMaxOf(regions: number): number {
  return THINK_MS_MAX * (regions - 1) ** 2;
}

/** One caller, who does one thing after the other until told to stop; in trouble also elsewhere. */
export async function runClient(options: ClientOptions): Promise<void> {
  const { random, signal, endpoints } = options;
  let { home } = options;
  while (!signal.aborted) {
    const operation = await actOnce({ ...options, home });
    const isTrouble = operation.outcome === 'unknown' || operation.status === undefined;
    home = isTrouble ? random.pick(endpoints) : options.home;
    const pauseMs = isTrouble
      ? random.between(BACK_OFF_MS_MIN, BACK_OFF_MS_MAX)
      : random.between(0, thinkMsMaxOf(endpoints.filter((one) => one !== FRONT).length));
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

async function actOnce(options: ClientOptions): Promise<Operation> {
  const { random } = options;
  if (random.chance(TRANSACT_CHANCE)) {
    const written = await transact(options);
    if (written !== undefined) return written;
  }
  const ticket = random.next();
  if (ticket < 0.15) return create(options);
  const customer = options.customers.take(random);
  if (ticket < 0.25) return read(options, customer);
  let written = await write(options, customer, ticket);
  if (written.status === 404) written = await put(options, customer);
  if (written.outcome !== 'acknowledged' || !random.chance(FOLLOW_CHANCE)) return written;
  return follow(options, written);
}

/** Writes a group whole, or finds one: the region says of which customers it can be. */
async function transact(options: ClientOptions): Promise<Operation | undefined> {
  const { home, history, random, customers, signal } = options;
  const write = (group: readonly string[]): Promise<Operation | undefined> => {
    const values = chooseAllValues(history.nextId(), random);
    return options.transact(home, group, { values, body: toWholeBody(values, random) });
  };
  const known = customers.takeGroup(random);
  if (known !== undefined) return write(known);
  const size = random.chance(0.7) ? 2 : 3;
  for (let tries = 0; tries < GROUP_TRIES_MAX && !signal.aborted; tries += 1) {
    const group = Array.from({ length: size }, () => random.uuid());
    const written = await write(group);
    if (written === undefined) continue;
    customers.addGroup(group, random);
    return written;
  }
  return undefined;
}

/** A creation is repeated, anywhere, until it is answered: its key makes it one customer. */
async function create(options: ClientOptions): Promise<Operation> {
  const { home, endpoints, perform, history, customers, random, signal } = options;
  const key = random.uuid();
  const values = chooseAllValues(history.nextId(), random);
  const body = toWholeBody(values, random);
  let via = home;
  for (let tries = 1; ; tries += 1) {
    const headers = { 'idempotency-key': key };
    const planned = { action: 'create', via, customer: undefined, values, key } as const;
    const operation = await perform({ ...planned, headers, body });
    if (operation.customer !== undefined) customers.add(operation.customer);
    const isDone = operation.outcome === 'acknowledged' || signal.aborted;
    if (isDone || tries === CREATION_TRIES_MAX) return operation;
    await delay(BACK_OFF_MS_MIN);
    via = random.pick(endpoints);
  }
}

function read({ home, perform }: ClientOptions, customer: string): Promise<Operation> {
  return perform({ action: 'read', via: home, customer, values: {} });
}

async function write(options: ClientOptions, customer: string, ticket: number): Promise<Operation> {
  const { home: via, perform, history, random } = options;
  if (ticket < 0.6) return put(options, customer);
  const id = history.nextId();
  const common = { id, via, customer };
  if (ticket < 0.68) return perform({ ...common, action: 'delete', values: {} });
  const values = chooseSomeValues(id, random);
  const headers = random.chance(CONDITION_CHANCE) ? await readTag(options, customer) : undefined;
  return perform({
    ...common,
    action: 'patch',
    values,
    body: values,
    ...(headers === undefined ? {} : { headers }),
  });
}

function put({ home: via, perform, history, random }: ClientOptions, customer: string) {
  const id = history.nextId();
  const values = chooseAllValues(id, random);
  const headers = random.chance(CONDITION_CHANCE) ? { 'if-none-match': '*' } : {};
  const body = toWholeBody(values, random);
  return perform({ id, action: 'put', via, customer, values, headers, body });
}

/** The precondition that the customer is as this client sees it now; none when it sees none. */
async function readTag(
  options: ClientOptions,
  customer: string,
): Promise<Record<string, string> | undefined> {
  const { seen } = await read(options, customer);
  const etag = seen?.kind === 'present' ? seen.etag : undefined;
  return etag === undefined ? undefined : { 'if-match': etag };
}

/** A read or a patch, anywhere, of nothing older than what the client has just written. */
async function follow(options: ClientOptions, written: Operation) {
  const { endpoints, perform, history, random } = options;
  const { customer, version, id: atLeast } = written;
  if (customer === undefined || version === undefined) return written;
  const via = random.pick(endpoints);
  const headers = { 'x-tandem-min-version': version, prefer: 'wait=2' };
  if (random.chance(0.7)) {
    return perform({ action: 'read', via, customer, values: {}, atLeast, headers });
  }
  const id = history.nextId();
  const values = chooseSomeValues(id, random);
  return perform({ id, action: 'patch', via, customer, values, atLeast, headers, body: values });
}
