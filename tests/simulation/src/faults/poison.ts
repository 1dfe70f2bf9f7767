/** Messages that no replicator can apply, and the reason that each must be dead-lettered with. */
export interface PoisonLog {
  /** By queue, then by message id. */
  readonly expected: Map<string, Map<string, string>>;
  /** Are those that were dead and that an operator threw away, by queue and message id. */
  readonly thrownAway: Set<string>;
  note(queue: string, messageId: string, reason: string): void;
}

export function createPoisonLog(): PoisonLog {
  const expected = new Map<string, Map<string, string>>();
  return {
    expected,
    thrownAway: new Set(),
    note(queue, messageId, reason) {
      const own = expected.get(queue) ?? new Map<string, string>();
      expected.set(queue, own.set(messageId, reason));
    },
  };
}
