// What a client did and what it was told. The checker knows nothing else of a run, so everything
// here is what a caller of the REST API can see; ETags and versions are opaque texts.

export const FIELDS = ['email', 'firstName', 'lastName', 'phoneNumber'] as const;
export type Field = (typeof FIELDS)[number];

/** Values of fields; null is a field without a value. */
export type Values = Readonly<Partial<Record<Field, string | null>>>;

/** Where a request is sent: to a region, by its name, or to the stand-in in front of all. */
export type Endpoint = string;

/** The stand-in. */
export const FRONT = 'front';

export type Action = 'put' | 'patch' | 'delete' | 'create' | 'read';

/** What an answer shows of a customer. */
export type Seen =
  | { readonly kind: 'absent' }
  | { readonly kind: 'present'; readonly values: Values; readonly etag?: string | undefined };

/**
 * `acknowledged`: answered as done. `refused`: answered as not done, or never sent. `unknown`: no
 * answer, or one that leaves it open: it may take effect at any time after its start, or never.
 */
export type Outcome = 'acknowledged' | 'refused' | 'unknown';

export interface Operation {
  readonly id: number;
  readonly action: Action;
  readonly via: Endpoint;
  /** Undefined for a creation whose id nobody was told. */
  readonly customer: string | undefined;
  /** What it writes: all fields for a put and a creation, some for a patch, none else. */
  readonly values: Values;
  /** Milliseconds of the one clock of the clients. */
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: Outcome;
  readonly status?: number | undefined;
  /** The region that answered, as it says itself. */
  readonly region?: string | undefined;
  /** Opaque; sent back as the least version of later requests. */
  readonly version?: string | undefined;
  readonly seen?: Seen | undefined;
  /** The operation whose version this request demanded as the least. */
  readonly atLeast?: number | undefined;
  /** The Idempotency-Key of a creation: all that have it are of one customer. */
  readonly key?: string | undefined;
  /** All customers of the transaction that it was one part of, this one too: nothing else ever writes them. */
  readonly group?: readonly string[] | undefined;
  /** What was wrong, in a few words; for people. */
  readonly note?: string | undefined;
}

/** What a region shows when everything is over. */
export interface RegionState {
  readonly region: string;
  readonly startMs: number;
  /** By id: every customer that was asked for or listed. */
  readonly customers: ReadonlyMap<string, Seen>;
}
