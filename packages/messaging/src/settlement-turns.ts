/**
 * Lets settlements of one outcome run together, and never two outcomes at once. rhea 3.0.5, below
 * the library, sends neighbouring dispositions of one turn as one frame with the outcome of the
 * first: a message dead-lettered beside a completed one would be completed, and lost.
 */
export class SettlementTurns {
  #outcome: string | undefined;
  readonly #running = new Set<Promise<unknown>>();

  /** `outcome` tells apart all that a disposition says: its kind, its reason, its description. */
  async run<T>(outcome: string, settle: () => Promise<T>): Promise<T> {
    while (this.#running.size > 0 && this.#outcome !== outcome) {
      await Promise.allSettled(this.#running);
    }
    this.#outcome = outcome;
    const settling = settle();
    this.#running.add(settling);
    try {
      return await settling;
    } finally {
      this.#running.delete(settling);
    }
  }
}
