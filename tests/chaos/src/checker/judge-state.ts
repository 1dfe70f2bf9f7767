import { FIELDS, type Field, type Operation, type Seen } from '../history/operation.ts';
import type { CustomerHistory } from './customer-history.ts';
import { CLOCK_MARGIN_MS, precedes } from './precedes.ts';

/** Something seen of a customer, and the writes that it must not miss. */
export interface Observation {
  readonly seen: Seen;
  /** Writes that began after this time cannot be in it. */
  readonly endMs: number;
  /** Acknowledged writes whose effect, or that of a later write, must show. */
  readonly mustShow: (write: Operation) => boolean;
}

/** Why what was seen cannot be right. */
export type Flaw =
  | { readonly kind: 'missing'; readonly field: Field | 'existence'; readonly write: Operation }
  | { readonly kind: 'revived'; readonly deletion: Operation }
  | { readonly kind: 'never-written'; readonly what: string; readonly by: readonly Operation[] };

/**
 * Judges every field, and existence, as a register of its own: whatever is seen must come from a
 * write that no other write, which had to show, was certainly later than. Writes that overlap, or
 * were not answered, may have come in either order.
 */
export function judgeState(
  { writes }: Pick<CustomerHistory, 'writes'>,
  { seen, endMs, mustShow }: Observation,
): Flaw[] {
  const possible = writes.filter(
    ({ outcome, startMs }) => outcome !== 'refused' && startMs <= endMs + CLOCK_MARGIN_MS,
  );
  const owed = possible.filter((write) => write.outcome === 'acknowledged' && mustShow(write));
  const context: Context = { writes, possible, owed };
  if (seen.kind === 'absent') return judgeAbsence(context);
  const flaws = judgePresence(context);
  for (const field of FIELDS) {
    const value = seen.values[field] ?? null;
    flaws.push(...(value === null ? judgeNull(field, context) : judgeValue(field, value, context)));
  }
  return flaws;
}

interface Context {
  readonly writes: readonly Operation[];
  /** Those that may have taken effect by then. */
  readonly possible: readonly Operation[];
  readonly owed: readonly Operation[];
}

const isDeletion = ({ action }: Operation): boolean => action === 'delete';

function judgeAbsence({ possible, owed }: Context): Flaw[] {
  const lives = owed.filter((write) => !isDeletion(write));
  if (lives.length === 0) return [];
  const deletions = possible.filter(isDeletion);
  const isLater = (life: Operation, deletion: Operation): boolean =>
    precedes(deletion, life) && (!mayChangeNothing(life) || hasSeen(life, deletion));
  const write = findUnexplained(lives, deletions, isLater);
  return write === undefined ? [] : [{ kind: 'missing', field: 'existence', write }];
}

/** Tells a patch that only takes values away: where there are none, it writes nothing at all. */
function mayChangeNothing({ action, values: written }: Operation): boolean {
  return action === 'patch' && Object.values(written).every((value) => value === null);
}

function judgePresence({ possible, owed }: Context): Flaw[] {
  const lives = possible.filter((write) => !isDeletion(write));
  if (lives.length === 0) return [{ kind: 'never-written', what: 'the customer', by: [] }];
  const deletion = findUnexplained(owed.filter(isDeletion), lives);
  return deletion === undefined ? [] : [{ kind: 'revived', deletion }];
}

function judgeValue(field: Field, value: string, { writes, possible, owed }: Context): Flaw[] {
  const has = ({ values }: Operation): boolean => values[field] === value;
  const sources = possible.filter(has);
  if (sources.length === 0) {
    return [{ kind: 'never-written', what: `${field} "${value}"`, by: writes.filter(has) }];
  }
  const rivals = owed.filter((write) => values(write, field) !== undefined && !has(write));
  const isLater = (rival: Operation, source: Operation): boolean =>
    precedes(source, rival) && (values(rival, field) !== null || hasSeen(rival, source));
  const write = findUnexplained(rivals, sources, isLater);
  return write === undefined ? [] : [{ kind: 'missing', field, write }];
}

/** A field without a value: nobody gave it one, or somebody took it away. */
function judgeNull(field: Field, { possible, owed }: Context): Flaw[] {
  const rivals = owed.filter((write) => typeof values(write, field) === 'string');
  if (rivals.length === 0) return [];
  const sources = possible.filter((write) => values(write, field) === null);
  const write = findUnexplained(rivals, sources);
  return write === undefined ? [] : [{ kind: 'missing', field, write }];
}

function values(write: Operation, field: Field): string | null | undefined {
  return write.values[field];
}

/**
 * Taking away the value of a field that has none changes nothing, so it wins over no write that its
 * region had not seen. Only within one region a caller can tell that it had.
 */
function hasSeen(later: Operation, earlier: Operation): boolean {
  return later.region !== undefined && later.region === earlier.region;
}

/**
 * The write that had to show and that no source excuses: every source is certainly followed by one
 * of the rivals. The latest of these is the one that is missing.
 */
function findUnexplained(
  rivals: readonly Operation[],
  sources: readonly Operation[],
  isLater = (rival: Operation, source: Operation): boolean => precedes(source, rival),
): Operation | undefined {
  const isExcused = sources.some((source) => !rivals.some((rival) => isLater(rival, source)));
  if (isExcused) return undefined;
  const latest = rivals.filter(
    (rival) => sources.length === 0 || sources.some((source) => isLater(rival, source)),
  );
  return latest.reduce<Operation | undefined>(
    (found, rival) => (found === undefined || rival.endMs > found.endMs ? rival : found),
    undefined,
  );
}
