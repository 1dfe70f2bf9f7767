import type { AccessRight } from '../shared-access-signature.ts';

export const QUEUE_STATUSES = ['Active', 'Disabled', 'SendDisabled', 'ReceiveDisabled'] as const;
export type QueueStatus = (typeof QUEUE_STATUSES)[number];

/** Is a key to one queue alone. */
export interface QueueAccessRule {
  readonly name: string;
  readonly primaryKey: string;
  readonly secondaryKey: string;
  readonly rights: readonly AccessRight[];
  readonly createdAtMs: number;
}

/** Settings of one queue. Durations in milliseconds; Infinity stands for the service's maximum. */
export interface QueueProperties {
  readonly lockDurationMs: number;
  readonly maxDeliveryCount: number;
  readonly defaultTimeToLiveMs: number;
  readonly deadLetterOnExpiration: boolean;
  readonly maxSizeMegabytes: number;
  readonly enablePartitioning: boolean;
  readonly enableBatchedOperations: boolean;
  readonly userMetadata: string;
  readonly status: QueueStatus;
  /** Kept, and without effect: no message is kept in memory only for a while. */
  readonly enableExpress: boolean;
  /** The queue is deleted when nobody has used it for this long. */
  readonly autoDeleteOnIdleMs: number;
  readonly authorizationRules: readonly QueueAccessRule[];
  /** Fixed when the queue is created, as is requiresDuplicateDetection. */
  readonly requiresSession: boolean;
  readonly requiresDuplicateDetection: boolean;
  readonly duplicateDetectionWindowMs: number;
}

/** The limits that the service puts on the settings which the emulator honours. */
const LOCK_DURATION_MS_MAX = 300_000;
const MAX_DELIVERY_COUNT_MAX = 2_000;
const LOCK_DURATION_MS_MIN = 1;
const DUPLICATE_WINDOW_MS_MAX = 7 * 86_400_000;
const DUPLICATE_WINDOW_MS_MIN = 1;
const AUTO_DELETE_MS_MIN = 5 * 60_000;
const USER_METADATA_LENGTH_MAX = 1_024;
const ACCESS_RULES_MAX = 12;
const BYTES_PER_MEGABYTE = 1024 * 1024;

export const DEFAULT_QUEUE_PROPERTIES: QueueProperties = {
  lockDurationMs: 60_000,
  maxDeliveryCount: 10,
  defaultTimeToLiveMs: Number.POSITIVE_INFINITY,
  deadLetterOnExpiration: false,
  maxSizeMegabytes: 1024,
  enablePartitioning: false,
  enableBatchedOperations: true,
  userMetadata: '',
  status: 'Active',
  enableExpress: false,
  autoDeleteOnIdleMs: Number.POSITIVE_INFINITY,
  authorizationRules: [],
  requiresSession: false,
  requiresDuplicateDetection: false,
  duplicateDetectionWindowMs: 600_000,
};

/** A partitioned queue has as many parts as this, each of the size that was asked for. */
const PARTITIONS = 16;

/** Returns the size quota as the service shows it, in megabytes: that of all partitions together. */
export function shownSizeMegabytes({
  maxSizeMegabytes,
  enablePartitioning,
}: Pick<QueueProperties, 'maxSizeMegabytes' | 'enablePartitioning'>): number {
  return maxSizeMegabytes * (enablePartitioning ? PARTITIONS : 1);
}

/** The size quota of a queue in bytes. */
export function sizeBytesMax(properties: QueueProperties): number {
  return shownSizeMegabytes(properties) * BYTES_PER_MEGABYTE;
}

/** Names the first setting that is out of range and its limit, or undefined when all are fine. */
export function findPropertyProblem(properties: QueueProperties): string | undefined {
  const { lockDurationMs, maxDeliveryCount, defaultTimeToLiveMs, maxSizeMegabytes } = properties;
  if (!(lockDurationMs >= LOCK_DURATION_MS_MIN && lockDurationMs <= LOCK_DURATION_MS_MAX)) {
    return `LockDuration must be more than zero and at most PT5M, got ${lockDurationMs} ms`;
  }
  if (!(maxDeliveryCount >= 1 && maxDeliveryCount <= MAX_DELIVERY_COUNT_MAX)) {
    return `MaxDeliveryCount must be between 1 and ${MAX_DELIVERY_COUNT_MAX}, got ${maxDeliveryCount}`;
  }
  if (!(defaultTimeToLiveMs > 0)) {
    return `DefaultMessageTimeToLive must be more than zero, got ${defaultTimeToLiveMs} ms`;
  }
  if (!(maxSizeMegabytes > 0)) {
    return `MaxSizeInMegabytes must be more than zero, got ${maxSizeMegabytes}`;
  }
  const windowMs = properties.duplicateDetectionWindowMs;
  if (!(windowMs >= DUPLICATE_WINDOW_MS_MIN && windowMs <= DUPLICATE_WINDOW_MS_MAX)) {
    return `DuplicateDetectionHistoryTimeWindow must be more than zero and at most P7D, got ${windowMs} ms`;
  }
  if (!(properties.autoDeleteOnIdleMs >= AUTO_DELETE_MS_MIN)) {
    return `AutoDeleteOnIdle must be at least PT5M, got ${properties.autoDeleteOnIdleMs} ms`;
  }
  if (properties.userMetadata.length > USER_METADATA_LENGTH_MAX) {
    return `UserMetadata must have at most ${USER_METADATA_LENGTH_MAX} characters`;
  }
  return findRuleProblem(properties.authorizationRules);
}

function findRuleProblem(rules: readonly QueueAccessRule[]): string | undefined {
  if (rules.length > ACCESS_RULES_MAX) {
    return `AuthorizationRules must be at most ${ACCESS_RULES_MAX}, got ${rules.length}`;
  }
  const names = rules.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) return `Two AuthorizationRules are named '${twice}'`;
  const partial = rules.find(({ rights }) => rights.includes('Manage') && rights.length < 3);
  return partial === undefined
    ? undefined
    : `AuthorizationRule '${partial.name}': Manage permission should also include Send and Listen`;
}

/** Names the setting that cannot change once the queue exists, or undefined when none does. */
export function findFixedChange(from: QueueProperties, to: QueueProperties): string | undefined {
  const fixed = ['requiresSession', 'requiresDuplicateDetection', 'enablePartitioning'] as const;
  const changed = fixed.find((name) => from[name] !== to[name]);
  if (changed === undefined) return undefined;
  const name = changed.charAt(0).toUpperCase() + changed.slice(1);
  return `The value for the '${name}' property of an existing Queue cannot be changed`;
}
