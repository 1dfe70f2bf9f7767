import { assert, type Randomness, type VersionVector } from '@tandem/core';
import type { customerKind } from '@tandem/core/customers';
import type {
  EntityHistory,
  EntityPage,
  EntityRecord,
  HistoryPage,
  ReplicatedTable,
  WriteCondition,
  WriteOutcome,
} from '@tandem/storage';
import type { AcknowledgementLevel, Acknowledgements } from '../consistency/acknowledgements.ts';
import type { ReadVersion, VersionGate } from '../consistency/version-gate.ts';
import { creationDigest, customerIdOf } from '../idempotency/creation-key.ts';
import type { CustomerBody, CustomerPatch } from '../schemas/customer.ts';

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
  | { readonly kind: 'key-spent' };

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
  list(limit: number, cursor?: string): Promise<EntityPage<CustomerKind>>;
  /** What this region has archived of one customer, deleted or not, oldest first. */
  history(customerId: string, limit: number, cursor?: string): Promise<HistoryPage<CustomerKind>>;
  /** True once this region shows at least `least`; false when it does not within `waitMs`. */
  reaches(customerId: string, least: VersionVector, waitMs: number): Promise<boolean>;
  /** The level that a write of this process, with this version, reaches within `waitMs`. */
  acknowledgementOf(version: VersionVector, waitMs: number): Promise<AcknowledgementLevel>;
}

interface CustomerServiceOptions {
  readonly region: string;
  readonly customers: ReplicatedTable<CustomerKind>;
  readonly randomness: Randomness;
  readonly readVersion: ReadVersion;
  readonly gate: VersionGate;
  readonly acknowledgements: Pick<Acknowledgements, 'levelOf'>;
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
    list: (limit, cursor) => customers.list(limit, cursor),
    history: (customerId, limit, cursor) =>
      entityHistory.read(customerId.toLowerCase(), limit, cursor),
    reaches: (customerId, least, waitMs) => gate.reaches(customerId.toLowerCase(), least, waitMs),
    async acknowledgementOf(version, waitMs) {
      const own = version.get(region);
      return own === undefined ? 'local' : acknowledgements.levelOf(own, waitMs);
    },
  };
}

/** Once a customer was replaced whole, its digest is gone: then the key alone decides. */
function judgeRepetition(current: CustomerRecord | undefined, digest: string): CreateOutcome {
  if (current === undefined) return { kind: 'key-spent' };
  const { creationDigest: first } = current.entity;
  const isSame = first === null || first === digest;
  return isSame ? { kind: 'replayed', record: current } : { kind: 'key-reused' };
}
