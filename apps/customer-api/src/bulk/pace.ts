/** How slow a client may be that a stream waits for, so that it does not keep a place for nothing. */
export interface Pace {
  readonly bytesPerSecondMin: number;
  /** How far behind that rate it may fall, in milliseconds of waiting. */
  readonly patienceMs: number;
}

interface PaceKeeperOptions extends Pace {
  /** Called once, when the client has fallen too far behind. */
  readonly onTooSlow: () => void;
}

/**
 * Watches one direction of a stream. Only the time that is spent waiting for the client counts; what it has
 * taken or sent pays for it, at the least rate.
 */
export class PaceKeeper {
  readonly #options: PaceKeeperOptions;
  #behindMs = 0;
  #beganMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PaceKeeperOptions) {
    this.#options = options;
  }

  /** The texts as they are, with the time that the client takes for each. */
  async *takes(texts: AsyncIterable<string>): AsyncGenerator<string> {
    try {
      for await (const text of texts) {
        const bytes = Buffer.byteLength(text);
        this.#wait(bytes);
        yield text;
        this.#pay(bytes);
      }
    } finally {
      clearTimeout(this.#timer);
    }
  }

  /** The pieces as they are, with the time that the client takes to send each. */
  async *sends(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      this.#wait(0);
      for await (const piece of pieces) {
        this.#pay(piece.length);
        yield piece;
        this.#wait(0);
      }
    } finally {
      clearTimeout(this.#timer);
    }
  }

  /** `bytes` lie ready for the client, which may take as long for them as the least rate takes. */
  #wait(bytes: number): void {
    const { patienceMs, onTooSlow } = this.#options;
    this.#beganMs = performance.now();
    const leftMs = patienceMs - this.#behindMs + this.#worthMs(bytes);
    this.#timer = setTimeout(onTooSlow, Math.max(0, leftMs)).unref();
  }

  #pay(bytes: number): void {
    clearTimeout(this.#timer);
    const waitedMs = performance.now() - this.#beganMs;
    this.#behindMs = Math.max(0, this.#behindMs + waitedMs - this.#worthMs(bytes));
  }

  #worthMs(bytes: number): number {
    return (bytes * 1_000) / this.#options.bytesPerSecondMin;
  }
}
