/** In what the other server, Azurite 3.37, answers otherwise than the service, with what shows it. */
import type { Difference, PlainAnswer } from './differential.ts';

interface KnownDifference {
  readonly reason: string;
  /** Returns the two answers without this difference; the same ones where they have it not. */
  readonly without: (difference: Difference) => Answers;
}

type Answers = Pick<Difference, 'own' | 'other'>;

const KNOWN: readonly KnownDifference[] = [
  {
    reason:
      'It fails with 500 where the service answers or refuses: that is no answer to compare with.',
    without: ({ own, other }) => (other.status === 500 ? { own, other: own } : { own, other }),
  },
  {
    reason: 'It gives a refused name of a table no code (documented: InvalidResourceName).',
    without: ({ request, own, other }) => {
      const isRefused = request.target === '/Tables' && own.code === 'InvalidResourceName';
      return isRefused && other.code === '' ? { own, other: own } : { own, other };
    },
  },
  {
    reason: 'It says that it applied a preference that nobody had (recorded otherwise).',
    without: ({ request, own, other }) => {
      const { 'preference-applied': said, ...headers } = other.headers;
      const isMadeUp = request.headers['prefer'] === undefined && said === 'return-content';
      return { own, other: isMadeUp ? { ...other, headers } : other };
    },
  },
  {
    reason:
      'It names the list of tables, or keys unencoded, in the addresses of full metadata (recorded otherwise).',
    without: ({ own, other }) => ({ own: withoutAddresses(own), other: withoutAddresses(other) }),
  },
  {
    reason: 'It writes a whole Double without a fraction where no types are told (recorded: 5.0).',
    without: ({ own, other }) => ({ own: withoutFractions(own), other: withoutFractions(other) }),
  },
  {
    reason: 'It keeps NaN and Infinity as texts, and compares them so (documented: IEEE 754).',
    without: ({ request, own, other }) => {
      const isOfThem = /"(?:-?Infinity|NaN)"/.test(JSON.stringify([own, other]));
      const isCompared = request.target.includes('$filter') && own.status === other.status;
      return isOfThem && isCompared ? { own, other: own } : { own, other };
    },
  },
  {
    reason:
      'It compares an Int32 with a Double (documented: a value has the type of the property).',
    without: ({ request, own, other }) => {
      const filter = decodeURIComponent(/\$filter=([^&]*)/.exec(request.target)?.[1] ?? '');
      const isOfDouble = /\w (?:eq|ne|g[te]|l[te]) -?\d+\.\d/.test(filter);
      return isOfDouble && own.status === other.status ? { own, other: own } : { own, other };
    },
  },
  {
    reason:
      'It leaves out what was selected and is not there (observed of the service: null, Azurite issue 2535).',
    without: ({ request, own, other }) => {
      const isChosen = request.target.includes('$select=');
      return { own: isChosen ? withoutNulls(own) : own, other };
    },
  },
  {
    reason:
      'Within a transaction it gives no bodies, no preferences and always the same version (recorded otherwise).',
    without: ({ own, other }) => ({ own: withBareParts(own), other: withBareParts(other) }),
  },
  {
    reason: 'It does the operations of a transaction one by one before it reads the rest of it.',
    without: ({ own, other }) => {
      const isOwnOfShape = own.parts?.[0]?.code === 'InvalidDuplicateRow';
      const isOther = other.parts?.[0]?.code !== undefined;
      return isOwnOfShape && isOther ? { own, other: own } : { own, other };
    },
  },
];

/**
 * Returns why the two answers may differ, every reason that has a part in it; none for a difference that nobody
 * has explained.
 */
export function findReasons(
  difference: Difference,
  isAlike: (own: PlainAnswer, other: PlainAnswer) => boolean,
): readonly string[] {
  const reasons: string[] = [];
  let current = difference;
  for (const { reason, without } of KNOWN) {
    const next = { ...current, ...without(current) };
    const isChanged =
      JSON.stringify([next.own, next.other]) !== JSON.stringify([current.own, current.other]);
    if (isChanged) reasons.push(reason);
    if (isAlike(next.own, next.other)) return reasons;
    current = next;
  }
  return [];
}

const ADDRESSES: ReadonlySet<string> = new Set([
  'odata.metadata',
  'odata.type',
  'odata.id',
  'odata.editLink',
]);

function withoutAddresses(answer: PlainAnswer): PlainAnswer {
  const kept = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(kept);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).filter(([name]) => !ADDRESSES.has(name));
    return Object.fromEntries(entries.map(([name, inner]) => [name, kept(inner)]));
  };
  return kept(answer) as PlainAnswer;
}

function withoutNulls(answer: PlainAnswer): PlainAnswer {
  const kept = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(kept);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).filter(([, inner]) => inner !== null);
    return Object.fromEntries(entries.map(([name, inner]) => [name, kept(inner)]));
  };
  return { ...answer, body: kept(answer.body) };
}

/** A whole Double is kept as it is written, and what is written without a fraction is a number. */
function withoutFractions(answer: PlainAnswer): PlainAnswer {
  const text = JSON.stringify(answer).replaceAll(/\{"text":"(-?\d+)\.0"\}/g, '$1');
  return JSON.parse(text) as PlainAnswer;
}

function withBareParts({ parts, ...answer }: PlainAnswer): PlainAnswer {
  if (parts === undefined) return answer;
  const bare = parts.map(({ status, code, body }) =>
    code === undefined ? { status, headers: {}, body: '' } : { status, code, headers: {}, body },
  );
  return { ...answer, parts: bare };
}
