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
  requiresSession: false,
  requiresDuplicateDetection: false,
  duplicateDetectionWindowMs: 600_000,
};

/** The size quota of a queue in bytes. */
export function sizeBytesMax(properties: QueueProperties): number {
  return properties.maxSizeMegabytes * BYTES_PER_MEGABYTE;
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
  return undefined;
}

/** Names the setting that cannot change once the queue exists, or undefined when none does. */
export function findFixedChange(from: QueueProperties, to: QueueProperties): string | undefined {
  const fixed = ['requiresSession', 'requiresDuplicateDetection', 'enablePartitioning'] as const;
  const changed = fixed.find((name) => from[name] !== to[name]);
  if (changed === undefined) return undefined;
  return `The value for the '${changed}' property of an existing Queue cannot be changed`;
}
