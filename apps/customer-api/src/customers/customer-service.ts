import {
  assert,
  type Clock,
  type Randomness,
  TransientError,
  type VersionVector,
} from '@tandem/core';
import type { customerKind } from '@tandem/core/customers';
import {
  type Acknowledgement,
  type AcknowledgementAsked,
  type Acknowledgements,
  decodeReceipt,
  encodeReceipt,
  type Reach,
  type ReadVersion,
  type ReceiptAnswer,
  type Receipts,
  type VersionGate,
  type Wait,
  type WriteReceipt,
} from '@tandem/region';
import type {
  EntityHistory,
  EntityPage,
  EntityRecord,
  HistoryPage,
  ListFilter,
  ReplicatedTable,
  WriteCondition,
  WriteOutcome,
} from '@tandem/storage';
import { creationDigest, customerIdOf } from '../idempotency/idempotency-key.ts';
import type { CustomerBody, CustomerPatch } from '../routes/customers-schema.ts';

export type CustomerKind = typeof customerKind;
export type CustomerRecord = EntityRecord<CustomerKind>;
export type CustomerOutcome = WriteOutcome<CustomerKind>;

export type CreateOutcome =
  | Extract<CustomerOutcome, { kind: 'created' }>
  /** The key has created this customer before, for the same request. */
  | { readonly kind: 'replayed'; readonly record: CustomerRecord }
  /** The key has created a customer for another request. */
  | { readonly kind: 'key-reused' }
  /** The customer that the key created was deleted since. */
  | { readonly kind: 'key-spent' }
  /** Someone has made a customer under the id of the key, and not by the key. */
  | { readonly kind: 'id-taken' };

/** The customers of this region. Ids are GUIDs in any case, and kept in lower case. */
export interface CustomerService {
  /**
   * Under a new id. With a key, which no other request may have, the id follows from the key: so the
   * request may be repeated, in any region, and makes one customer.
   */
  create(customer: CustomerBody, key?: string): Promise<CreateOutcome>;
  get(customerId: string): Promise<CustomerRecord | undefined>;
  put(
    customerId: string,
    customer: CustomerBody,
    condition?: WriteCondition,
  ): Promise<CustomerOutcome>;
  patch(
    customerId: string,
    changes: CustomerPatch,
    condition?: WriteCondition,
  ): Promise<CustomerOutcome>;
  remove(customerId: string, condition?: WriteCondition): Promise<CustomerOutcome>;
  list(
    limit: number,
    cursor?: string,
    filter?: ListFilter<CustomerKind>,
  ): Promise<EntityPage<CustomerKind>>;
  /** What this region has archived of one customer, deleted or not, oldest first. */
  /** Undefined for a customer that this region never had. */
  history(
    customerId: string,
    limit: number,
    cursor?: string,
  ): Promise<HistoryPage<CustomerKind> | undefined>;
  /** Whether this region shows at least `least`, within the wait; see `VersionGate`. */
  reach(customerId: string, least: VersionVector, wait: Wait): Promise<Reach>;
  /** Resolves to what a write of this process, with this version, reaches in the time given. */
  acknowledgementOf(version: VersionVector, asked: AcknowledgementAsked): Promise<Acknowledgement>;
  /** Makes the receipt of a write that was acknowledged just now. */
  receiptFor(customerId: string, version: VersionVector): string;
  /** Undefined for what is no receipt of this customer. */
  readReceipt(customerId: string, receipt: string): WriteReceipt | undefined;
  whereApplied(customerId: string, receipt: WriteReceipt, wait: Wait): Promise<ReceiptAnswer>;
  /** Whether a write over what may be there has to name what it is based on. */
  isPreconditionRequired(): boolean;
}

interface CustomerServiceOptions {
  readonly region: string;
  readonly customers: ReplicatedTable<CustomerKind>;
  readonly randomness: Randomness;
  readonly readVersion: ReadVersion;
  readonly gate: VersionGate;
  readonly acknowledgements: Pick<Acknowledgements, 'reached'>;
  readonly receipts: Receipts;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Asked for each time: the setting may be refreshed. */
  readonly isPreconditionRequired: () => boolean;
  readonly entityHistory: EntityHistory<CustomerKind>;
}

export function createCustomerService(options: CustomerServiceOptions): CustomerService {
  const { region, customers, randomness, gate, acknowledgements, entityHistory } = options;

  const createOnce = async (customer: CustomerBody, key: string): Promise<CreateOutcome> => {
    const customerId = customerIdOf(key);
    const digest = creationDigest(customer);
    const isUsed = (await options.readVersion(customerId)) !== undefined;
    if (isUsed) return judgeRepetition(await customers.get(customerId), digest);
    const body = { ...customer, creationDigest: digest };
    const outcome = await customers.put(customerId, body, { kind: 'absent' });
    if (outcome.kind === 'created') return outcome;
    assert(outcome.kind === 'condition-failed', 'a creation is done or refused');
    return judgeRepetition(outcome.current, digest);
  };

  return {
    async create(customer, key) {
      if (key !== undefined) return createOnce(customer, key);
      const outcome = await customers.put(randomness.uuid(), customer, { kind: 'absent' });
      assert(outcome.kind === 'created', 'a new random id was taken already');
      return outcome;
    },
    get: (customerId) => customers.get(customerId.toLowerCase()),
    put: (customerId, customer, condition) =>
      customers.put(customerId.toLowerCase(), customer, condition),
    patch: (customerId, changes, condition) =>
      customers.patch(customerId.toLowerCase(), changes, condition),
    remove: (customerId, condition) => customers.remove(customerId.toLowerCase(), condition),
    list: (limit, cursor, filter) => customers.list(limit, cursor, filter),
    async history(customerId, limit, cursor) {
      const id = customerId.toLowerCase();
      const page = await entityHistory.read(id, limit, cursor);
      const isNothing = page.entries.length === 0 && page.cursor === undefined;
      if (!isNothing || cursor !== undefined) return page;
      // The archive follows the row, and outlives it.
      return (await options.readVersion(id)) === undefined ? undefined : page;
    },
    reach: (customerId, least, wait) => gate.reach(customerId.toLowerCase(), least, wait),
    async acknowledgementOf(version, asked) {
      const own = version.get(region);
      if (own === undefined) return { level: 'local', peers: [] };
      return acknowledgements.reached(own, asked);
    },
    receiptFor: (customerId, version) =>
      encodeReceipt(customerId.toLowerCase(), { version, acknowledgedMs: options.clock.nowMs() }),
    readReceipt: (customerId, receipt) => decodeReceipt(customerId.toLowerCase(), receipt),
    whereApplied: (customerId, receipt, wait) =>
      options.receipts.whereApplied(customerId.toLowerCase(), receipt, wait),
    isPreconditionRequired: () => options.isPreconditionRequired(),
  };
}

export interface OpeningCustomers extends CustomerService {
  /** From now on what is asked goes there. */
  open(customers: CustomerService): void;
}

/**
 * Returns the customers of a region whose tables and settings may not have been read yet: until then every
 * call throws `TABLE_UNAVAILABLE`, so a process that starts during an outage is up, and says so.
 */
export function createOpeningCustomers(): OpeningCustomers {
  let opened: CustomerService | undefined;
  const customers = (): CustomerService => {
    if (opened !== undefined) return opened;
    throw new TransientError('TABLE_UNAVAILABLE', 'The tables of this region are not open yet.');
  };
  return {
    open(service) {
      opened = service;
    },
    create: (customer, key) => customers().create(customer, key),
    get: (customerId) => customers().get(customerId),
    put: (customerId, customer, condition) => customers().put(customerId, customer, condition),
    patch: (customerId, changes, condition) => customers().patch(customerId, changes, condition),
    remove: (customerId, condition) => customers().remove(customerId, condition),
    list: (limit, cursor, filter) => customers().list(limit, cursor, filter),
    history: (customerId, limit, cursor) => customers().history(customerId, limit, cursor),
    reach: (customerId, least, wait) => customers().reach(customerId, least, wait),
    acknowledgementOf: (version, asked) => customers().acknowledgementOf(version, asked),
    receiptFor: (customerId, version) => customers().receiptFor(customerId, version),
    readReceipt: (customerId, receipt) => customers().readReceipt(customerId, receipt),
    whereApplied: (customerId, receipt, wait) =>
      customers().whereApplied(customerId, receipt, wait),
    isPreconditionRequired: () => customers().isPreconditionRequired(),
  };
}

/**
 * Only a creation by a key leaves a digest, whatever is written over it since. A customer without one is
 * another's: the id of a key is no secret, so anybody may have made it.
 */
function judgeRepetition(current: CustomerRecord | undefined, digest: string): CreateOutcome {
  if (current === undefined) return { kind: 'key-spent' };
  const { creationDigest: first } = current.entity;
  if (first === null) return { kind: 'id-taken' };
  return first === digest ? { kind: 'replayed', record: current } : { kind: 'key-reused' };
}

/** Returns the version that the outcome left; undefined when nothing was written. */
export function versionOf(outcome: BatchOutcome): VersionVector | undefined {
  if (outcome.kind === 'deleted') return outcome.version;
  return 'record' in outcome ? outcome.record.version : undefined;
}

export type BatchOutcome = CustomerOutcome | CreateOutcome;
