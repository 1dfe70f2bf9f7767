/** What a fault can strike. An attach is a link that a client opens to the queue. */
export const FAULTY_OPERATIONS = ['send', 'settle', 'attach', 'manage'] as const;
export type FaultyOperation = (typeof FAULTY_OPERATIONS)[number];

/** Faults that tests put into one namespace. Names of queues are compared without regard to case. */
export interface Faults {
  /** The condition with which to refuse this operation, when one is due. */
  takeFailure(queueName: string, operation: FaultyOperation): string | undefined;
  failNext(queueName: string, failure: NextFailure): void;
  /** Undefined while the operation goes on; else resolves when it goes on again. */
  held(queueName: string, operation: FaultyOperation): Promise<void> | undefined;
  hold(queueName: string, operation: FaultyOperation): void;
  release(queueName: string, operation: FaultyOperation): void;
  /** True when the delivery that is going out is to be sent twice. */
  takeDuplicate(queueName: string): boolean;
  duplicateNext(queueName: string, count: number): void;
}

export interface NextFailure {
  readonly operation: FaultyOperation;
  readonly count: number;
  readonly condition: string;
}

interface Pause {
  readonly ended: Promise<void>;
  readonly end: () => void;
}

function createPause(): Pause {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { ended: promise, end: resolve };
}

export function createFaults(): Faults {
  const failures = new Map<string, { condition: string; left: number }>();
  const pauses = new Map<string, Pause>();
  const duplicates = new Map<string, number>();
  const keyOf = (queueName: string, operation: FaultyOperation) =>
    `${operation} ${queueName.toLowerCase()}`;
  return {
    takeFailure(queueName, operation) {
      // Nearly always: nothing to look for in the way of every message.
      if (failures.size === 0) return undefined;
      const key = keyOf(queueName, operation);
      const failure = failures.get(key);
      if (failure === undefined) return undefined;
      failure.left -= 1;
      if (failure.left <= 0) failures.delete(key);
      return failure.condition;
    },
    failNext(queueName, { operation, count, condition }) {
      const key = keyOf(queueName, operation);
      if (count > 0) failures.set(key, { condition, left: count });
      else failures.delete(key);
    },
    held(queueName, operation) {
      return pauses.size === 0 ? undefined : pauses.get(keyOf(queueName, operation))?.ended;
    },
    hold(queueName, operation) {
      const key = keyOf(queueName, operation);
      if (!pauses.has(key)) pauses.set(key, createPause());
    },
    release(queueName, operation) {
      const key = keyOf(queueName, operation);
      pauses.get(key)?.end();
      pauses.delete(key);
    },
    takeDuplicate(queueName) {
      const key = queueName.toLowerCase();
      const left = duplicates.get(key);
      if (left === undefined) return false;
      if (left <= 1) duplicates.delete(key);
      else duplicates.set(key, left - 1);
      return true;
    },
    duplicateNext(queueName, count) {
      if (count > 0) duplicates.set(queueName.toLowerCase(), count);
      else duplicates.delete(queueName.toLowerCase());
    },
  };
}
