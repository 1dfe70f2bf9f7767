import type { Operation } from '../../document/document.ts';

/** How the server should take it: as the document says, at its bounds, against it, or any how. */
export const KINDS = ['valid', 'boundary', 'invalid', 'hostile'] as const;

export type Kind = (typeof KINDS)[number];

export interface PlannedRequest {
  readonly index: number;
  readonly kind: Kind;
  /** What was done to it, for people. */
  readonly what: string;
  readonly operation: Operation;
  readonly method: string;
  /** Path and query, encoded. */
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: Buffer | undefined;
  /** Sent in place of all that: bytes that an HTTP client would not send. */
  readonly raw?: Buffer | undefined;
  /** The client hangs up in the middle of its request. */
  readonly isCutShort?: boolean;
  /** It may not be what the document describes at this path any more. */
  readonly isAstray?: boolean;
}

/** One way to be hostile, applied to a request that conforms. */
export interface Hostility {
  readonly what: string;
  readonly apply: (request: PlannedRequest, salt: number) => Partial<PlannedRequest>;
}
