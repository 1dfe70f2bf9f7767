import type { Stamp } from '../time/stamp.ts';

/** Says of which change set a fragment is, and which of it. */
export interface FragmentHead {
  readonly entityKind: string;
  readonly bucket: string;
  readonly stamp: Stamp;
  readonly index: number;
  readonly count: number;
  /** Counts what the set takes once it is inflated. */
  readonly bytes: number;
  /** Counts the bytes of each fragment but the last. */
  readonly part: number;
  /** Is the SHA-256 of all that is deflated, in hexadecimal. */
  readonly digest: string;
}

/** Is a part of a change set that no message holds whole. See docs/adr/0042. */
export interface Fragment extends FragmentHead {
  readonly deflated: Uint8Array;
}
