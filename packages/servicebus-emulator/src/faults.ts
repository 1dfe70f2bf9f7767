/** Faults that tests put into the emulator. Nothing of this can be reached over the network. */
export interface Faults {
  /** The condition with which to refuse this send, when one is due. */
  takeSendFailure(queueName: string): string | undefined;
  failNext(queueName: string, count: number, condition: string): void;
  /** Undefined while sends go on; else resolves when they go on again. */
  heldSends(queueName: string): Promise<void> | undefined;
  pause(queueName: string): void;
  resume(queueName: string): void;
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
  const keyOf = (queueName: string) => queueName.toLowerCase();
  return {
    takeSendFailure(queueName) {
      const failure = failures.get(keyOf(queueName));
      if (failure === undefined) return undefined;
      failure.left -= 1;
      if (failure.left <= 0) failures.delete(keyOf(queueName));
      return failure.condition;
    },
    failNext(queueName, count, condition) {
      if (count > 0) failures.set(keyOf(queueName), { condition, left: count });
      else failures.delete(keyOf(queueName));
    },
    heldSends: (queueName) => pauses.get(keyOf(queueName))?.ended,
    pause(queueName) {
      if (!pauses.has(keyOf(queueName))) pauses.set(keyOf(queueName), createPause());
    },
    resume(queueName) {
      pauses.get(keyOf(queueName))?.end();
      pauses.delete(keyOf(queueName));
    },
  };
}
