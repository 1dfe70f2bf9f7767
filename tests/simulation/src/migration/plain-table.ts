/**
 * The reference of a migration: one plain table, whose every request happens at one moment between its beginning and its answer.
 * It looks for an order of all that clients asked for, and were told, in which such a table would have told them the
 * same: as Wing and Gong did (1993), with Lowe's memory of what was tried (2017). What had no answer happens at any time later,
 * or never: I26, and for rows that nobody has written I24. Rows of one PartitionKey are judged together, since transactions are of one.
 */
export interface PlainRow {
  /** All properties, as one text. */
  readonly values: string;
  /** Undefined where nobody was told yet. */
  readonly etag: string | undefined;
}

export interface PlainPart {
  readonly rowKey: string;
  readonly how: 'put' | 'merge' | 'remove';
  /** By name, each value as a text. */
  readonly values: ReadonlyMap<string, string>;
  readonly condition: 'none' | 'absent' | 'present' | { readonly etag: string };
}

export type PlainAnswer =
  | { readonly kind: 'unknown' }
  /** One to a part; undefined of a deletion. */
  | { readonly kind: 'done'; readonly etags: readonly (string | undefined)[] }
  | { readonly kind: 'refused'; readonly index: number };

interface Timed {
  readonly id: string;
  readonly startMs: number;
  readonly endMs: number;
}

export type PlainEvent = Timed &
  (
    | {
        readonly kind: 'write';
        readonly parts: readonly PlainPart[];
        readonly answer: PlainAnswer;
      }
    | {
        readonly kind: 'read';
        readonly rowKey: string;
        readonly seen: { readonly values: string; readonly etag: string } | undefined;
        /** Whether a row of such values was asked for; any by default. */
        readonly isAskedFor?: (values: string) => boolean;
      }
    /** It is another table from then on, with these rows. */
    | { readonly kind: 'returned'; readonly rows: State }
  );

type State = ReadonlyMap<string, PlainRow>;

type Verdict =
  | { readonly kind: 'explained' }
  /** Nobody searched long enough. */
  | { readonly kind: 'open' }
  /** The longest order that there is leads to a state in which none of these can be next. */
  | { readonly kind: 'wrong'; readonly text: string };

const STEPS_MAX = 60_000;

export function valuesText(values: ReadonlyMap<string, string>): string {
  return JSON.stringify([...values].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export function explain(initial: State, asked: readonly PlainEvent[]): Verdict {
  const events = asked.toSorted((a, b) => a.startMs - b.startMs);
  const tried = new Set<string>();
  let steps = 0;
  let best: { readonly count: number; readonly text: string } = { count: -1, text: '' };

  const search = (left: readonly PlainEvent[], from: State): boolean => {
    let rest = left;
    let state = from;
    for (;;) {
      const endMs = Math.min(...rest.map((one) => one.endMs));
      const next = rest.filter(({ startMs }) => startMs <= endMs);
      // What changes nothing, and may be now, is now: later it could be no better.
      const still = next.filter((one) => isStill(one, state));
      if (still.length > 0) {
        const gone = new Set(still);
        rest = rest.filter((one) => !gone.has(one));
        continue;
      }
      if (rest.every(isOptional)) return true;
      steps += 1;
      if (steps > STEPS_MAX) return false;
      const key = `${rest.map(({ id }) => id).join()}|${stateText(state)}`;
      if (tried.has(key)) return false;
      tried.add(key);
      const count = events.length - rest.length;
      if (count > best.count) best = { count, text: describe(next, state) };
      const ways = next.flatMap((one) => {
        const after = step(one, state);
        return after === undefined ? [] : [{ one, after }];
      });
      const [only] = ways;
      if (only === undefined) return false;
      if (ways.length === 1) {
        rest = rest.filter((one) => one !== only.one);
        state = only.after;
        continue;
      }
      ways.sort((a, b) => a.one.endMs - b.one.endMs);
      return ways.some(({ one, after }) =>
        search(
          rest.filter((other) => other !== one),
          after,
        ),
      );
    }
  };

  if (search(events, initial)) return { kind: 'explained' };
  return steps > STEPS_MAX ? { kind: 'open' } : { kind: 'wrong', text: best.text };
}

/** It may never have happened. */
function isOptional(event: PlainEvent): boolean {
  return event.kind === 'write' && event.answer.kind === 'unknown';
}

function isStill(event: PlainEvent, state: State): boolean {
  if (event.kind === 'write') {
    const { answer, parts } = event;
    if (answer.kind !== 'refused') return false;
    const part = parts[answer.index];
    return part !== undefined && holds(part, state.get(part.rowKey)) !== true;
  }
  if (event.kind === 'returned') return false;
  const row = state.get(event.rowKey);
  if (event.seen === undefined)
    return row === undefined || event.isAskedFor?.(row.values) === false;
  return row !== undefined && row.values === event.seen.values && row.etag === event.seen.etag;
}

/** Returns the state behind it; undefined where it cannot be now. */
function step(event: PlainEvent, state: State): State | undefined {
  if (event.kind === 'returned') {
    const isEqual = [...event.rows].every(([key, { values }]) => state.get(key)?.values === values);
    return isEqual && event.rows.size === state.size ? event.rows : undefined;
  }
  if (event.kind === 'read') {
    const { rowKey, seen } = event;
    const row = state.get(rowKey);
    if (seen === undefined || row?.values !== seen.values || !mayBe(row, seen.etag)) {
      return undefined;
    }
    return new Map([...state, [rowKey, { values: row.values, etag: seen.etag }]]);
  }
  const { answer, parts } = event;
  if (answer.kind === 'refused') return undefined;
  if (parts.some((part) => holds(part, state.get(part.rowKey)) === false)) return undefined;
  const after = new Map(state);
  for (const [index, { rowKey, how, values }] of parts.entries()) {
    if (how === 'remove') {
      after.delete(rowKey);
      continue;
    }
    const before = how === 'merge' ? state.get(rowKey)?.values : undefined;
    const kept = before === undefined ? [] : (JSON.parse(before) as [string, string][]);
    const etag = answer.kind === 'done' ? answer.etags[index] : undefined;
    after.set(rowKey, { values: valuesText(new Map([...kept, ...values])), etag });
  }
  return after;
}

/** Undefined where it hangs on an ETag that nobody knows. */
function holds({ how, condition }: PlainPart, row: PlainRow | undefined): boolean | undefined {
  if (condition === 'absent') return row === undefined;
  if (condition === 'none') return how !== 'remove' || row !== undefined;
  if (row === undefined) return false;
  if (condition === 'present') return true;
  return row.etag === undefined ? undefined : row.etag === condition.etag;
}

function mayBe({ etag }: PlainRow, seen: string): boolean {
  return etag === undefined || etag === seen;
}

function stateText(state: State): string {
  return JSON.stringify([...state].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function describe(events: readonly PlainEvent[], state: State): string {
  const asked = events.map((event) => {
    if (event.kind === 'read') {
      return `${event.id} sees ${event.rowKey} as ${JSON.stringify(event.seen)}`;
    }
    if (event.kind === 'returned') return `${event.id} with ${stateText(event.rows)}`;
    const parts = event.parts.map(({ rowKey, how, condition }) => [rowKey, how, condition]);
    return `${event.id} ${JSON.stringify(parts)} was answered ${JSON.stringify(event.answer)}`;
  });
  return `none of ${asked.join('; ')} can be next where the rows are ${stateText(state)}`;
}
