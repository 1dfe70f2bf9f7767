interface Turn {
  readonly outcome: string;
  readonly begun: Promise<void>;
  readonly begin: () => void;
  /** Settlements that have not ended. */
  left: number;
}

/**
 * Lets settlements of one outcome run together, and never two outcomes at once. rhea 3.0.5, below
 * the library, sends neighbouring dispositions of one turn as one frame with the outcome of the
 * first: a message dead-lettered beside a completed one would be completed, and lost.
 */
export class SettlementTurns {
  /** The first is under way. */
  readonly #turns: Turn[] = [];

  /** `outcome` tells apart all that a disposition says: its kind, its reason, its description. */
  async run<T>(outcome: string, settle: () => Promise<T>): Promise<T> {
    const turn = this.#turnOf(outcome);
    turn.left += 1;
    try {
      await turn.begun;
      return await settle();
    } finally {
      turn.left -= 1;
      if (turn.left === 0) {
        this.#turns.shift();
        this.#turns[0]?.begin();
      }
    }
  }

  /** Nobody joins the turn that is under way while others wait: those would wait for ever under load. */
  #turnOf(outcome: string): Turn {
    const open = this.#turns.length === 1 ? this.#turns : this.#turns.slice(1);
    const known = open.find((turn) => turn.outcome === outcome);
    if (known !== undefined) return known;
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const turn = { outcome, begun, begin, left: 0 };
    this.#turns.push(turn);
    if (this.#turns.length === 1) begin();
    return turn;
  }
}
