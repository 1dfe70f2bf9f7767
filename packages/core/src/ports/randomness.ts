export interface Randomness {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** Returns a version 4 UUID in lower case. */
  uuid(): string;
}
