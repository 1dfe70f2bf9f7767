export interface Randomness {
  /** Returns a number that is uniform in [0, 1). */
  fraction(): number;
  /** Returns a version 4 UUID in lower case. */
  uuid(): string;
}
