/**
 * What is in a row, read without any of the product's code: so that a fault in its encoding cannot
 * hide from the checkers. Stamps compare as texts.
 */
export type RawValue = readonly [type: string, value: string | number | boolean] | null;

export interface RawField {
  readonly stamp: string;
  readonly value: RawValue;
}

export interface RawState {
  readonly fields: ReadonlyMap<string, RawField>;
  readonly alive: string | undefined;
  readonly deleted: string | undefined;
  /** What was stamped before it is gone. */
  readonly base: string | undefined;
  /** Which request made the newest transaction. */
  readonly request?: string | undefined;
  /** By region. */
  readonly vector: ReadonlyMap<string, string>;
}

export function regionOf(stamp: string): string {
  return stamp.split('-')[2] ?? '';
}

export function writerOf(stamp: string): string {
  return stamp.split('-')[3] ?? '';
}

/** True for the stamps of what an operator wrote. */
export function isOperators(stamp: string): boolean {
  return writerOf(stamp).startsWith('o');
}

export function timeMsOf(stamp: string): number {
  return parseInt(stamp.slice(0, 12), 16);
}

export function isRawAlive({ alive, deleted }: RawState): boolean {
  return alive !== undefined && (deleted === undefined || alive > deleted);
}

export function vectorOf(stamps: readonly string[]): Map<string, string> {
  return new Map(stamps.map((stamp) => [regionOf(stamp), stamp]));
}

/** True when `vector` contains the transaction. */
export function includesStamp(
  vector: ReadonlyMap<string, string> | undefined,
  stamp: string,
): boolean {
  const own = vector?.get(regionOf(stamp));
  return own !== undefined && own >= stamp;
}

const later = (a: string | undefined, b: string | undefined): string | undefined =>
  a === undefined || (b !== undefined && b > a) ? b : a;

/** The model of the truth: of everything, what has the later stamp, and is not from before the later base. */
export function joinStates(a: RawState | undefined, b: RawState): RawState {
  if (a === undefined) return b;
  const fields = new Map(a.fields);
  for (const [name, field] of b.fields) {
    const own = fields.get(name);
    const isErased = own?.stamp === field.stamp && field.value === null;
    if (isErased || field.stamp > (own?.stamp ?? '')) fields.set(name, field);
  }
  const vector = new Map(a.vector);
  for (const [region, stamp] of b.vector) {
    if (stamp > (vector.get(region) ?? '')) vector.set(region, stamp);
  }
  const base = later(a.base, b.base);
  for (const [name, { stamp }] of fields) if (stamp < (base ?? '')) fields.delete(name);
  const [alive, deleted] = [later(a.alive, b.alive), later(a.deleted, b.deleted)];
  const { request } = newestOf(b.vector) > newestOf(a.vector) ? b : a;
  return { fields, alive, deleted, base, request, vector };
}

/** The stamp of the newest transaction. */
function newestOf(vector: ReadonlyMap<string, string>): string {
  return [...vector.values()].sort().at(-1) ?? '';
}
