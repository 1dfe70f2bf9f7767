import {
  PROPERTIES,
  type RowOperation,
  type RowSeen,
  type TableState,
} from '../history/row-operation.ts';
import type { Finding, Verdict } from './finding.ts';
import { CLOCK_MARGIN_MS, precedes } from './precedes.ts';

/**
 * Judges what became of the rows of an open table, from what its clients saw and from what the regions show at the
 * end. A write owns its whole row, so a row is one register: what is seen of it comes from one write, its mark
 * tells which, and no write that had to show was certainly later. Knows nothing of the product but what a client
 * of Table Storage may expect.
 */
export function checkRows(
  operations: readonly RowOperation[],
  regions: readonly TableState[],
): Finding[] {
  const histories = historiesByRow(operations);
  const shown = new Set(regions.flatMap(({ rows }) => [...rows.keys()]));
  const findings = [
    ...operations.flatMap(checkStatus),
    ...checkTransactions(operations, regions),
    ...[...histories].flatMap(([row, history]) => [
      ...checkObservations(row, history),
      ...checkConditions(row, history),
      ...checkEnd(row, history, regions),
    ]),
    ...[...shown]
      .filter((row) => !histories.has(row))
      .flatMap((row) => [
        find('unexpected', `${row} stranger`, 'nobody wrote it'),
        ...checkEquality(row, regions),
      ]),
  ];
  return [...new Map(findings.map((one) => [`${one.verdict} ${one.key}`, one])).values()];
}

/** Holds the operations on one row, in the order in which they ended. */
type RowHistory = readonly RowOperation[];

function historiesByRow(operations: readonly RowOperation[]): Map<string, RowOperation[]> {
  const histories = new Map<string, RowOperation[]>();
  for (const operation of operations) {
    const history = histories.get(operation.row) ?? [];
    histories.set(operation.row, history);
    history.push(operation);
  }
  return histories;
}

function find(
  verdict: Verdict,
  key: string,
  message: string,
  operations: readonly RowOperation[] = [],
): Finding {
  const told = operations.length === 0 ? '' : `: ${operations.map(describe).join(', ')}`;
  return {
    verdict,
    key: `row ${key}`,
    message: `row ${key}: ${message}${told}`,
    operations: operations.map(({ id }) => id),
  };
}

function describe({ id, action, region, startMs, endMs }: RowOperation): string {
  return `${action} #${id} in ${region} (${Math.round(startMs)} to ${Math.round(endMs)} ms)`;
}

const ABSENT: RowSeen = { kind: 'absent' };
const NOT_FOUND = 404;
const TOOK_TOO_LONG = 'OperationTimedOut';
const SERVER_ERROR = 500;
const BUSY = 503;

/** What the service answers to well-formed requests; while a region is in trouble, that it is busy or does not know. */
function checkStatus(operation: RowOperation): Finding[] {
  const { id, action, over, status, row, note = '' } = operation;
  if (status === undefined || status === BUSY) return [];
  if (status === SERVER_ERROR && note.includes(TOOK_TOO_LONG)) return [];
  const mayBeAbsent = action === 'delete' || action === 'read' || over !== undefined;
  if (status === NOT_FOUND && mayBeAbsent) return [];
  if (status === 412 && over !== undefined) return [];
  if (status === 409 && action === 'insert') return [];
  return [
    find('unexpected', `${row} status ${id}`, `answered with ${status}, ${note}`, [operation]),
  ];
}

/** Rows that only transactions of all of them write show one and the same, in every region and in every answer. */
function checkTransactions(
  operations: readonly RowOperation[],
  regions: readonly TableState[],
): Finding[] {
  const groups = new Map<string, readonly string[]>();
  const answers = new Map<number, RowOperation[]>();
  for (const operation of operations) {
    const { group, together, action } = operation;
    if (group === undefined || together === undefined) continue;
    groups.set(group[0] ?? '', group);
    if (action === 'read') answers.set(together, [...(answers.get(together) ?? []), operation]);
  }
  const atEnd = regions.flatMap(({ region, rows }) =>
    [...groups.values()].flatMap((group) => {
      const marks = group.map((row) => markOf(rows.get(row) ?? ABSENT));
      return tearOf(`${group[0]} end`, marks, `when all is over in ${region}`);
    }),
  );
  const meanwhile = [...answers].flatMap(([together, parts]) => {
    const marks = parts.map(({ seen = ABSENT }) => markOf(seen));
    const at = `in the answer ${together} of ${parts[0]?.region}, ended at ${Math.round(parts[0]?.endMs ?? 0)} ms`;
    return tearOf(`${parts[0]?.row} answer ${together}`, marks, at);
  });
  return [...atEnd, ...meanwhile];
}

function tearOf(key: string, marks: readonly string[], at: string): Finding[] {
  const distinct = [...new Set(marks)];
  if (distinct.length <= 1) return [];
  const counts = distinct.map((mark) => `${marks.filter((one) => one === mark).length} × ${mark}`);
  return [find('torn', key, `a transaction is torn ${at}: ${counts.join(', ')}`)];
}

function markOf(seen: RowSeen): string {
  return seen.kind === 'absent' ? 'absent' : seen.values.mark;
}

interface Sight {
  readonly seen: RowSeen;
  /** Writes that began after this time cannot be in it. */
  readonly endMs: number;
  readonly mustShow: (write: RowOperation) => boolean;
}

/** A region shows what it has acknowledged itself: reads do, and so do insertions, and refusals for want of a row. */
function checkObservations(row: string, history: RowHistory): Finding[] {
  return history.flatMap((operation) => {
    const seen = seenBy(operation);
    if (seen === undefined) return [];
    const mustShow = (write: RowOperation): boolean =>
      write.region === operation.region && precedes(write, operation);
    const others = history.filter((one) => one !== operation);
    return judge(others, { seen, endMs: operation.endMs, mustShow }).map(({ what, by }) =>
      find('unexpected', `${row} answer ${operation.id}`, `${what}, in the answer of`, [
        operation,
        ...by,
      ]),
    );
  });
}

function seenBy({ action, outcome, status, seen }: RowOperation): RowSeen | undefined {
  if (action === 'read') return seen;
  if (action === 'insert' && outcome === 'acknowledged') return ABSENT;
  return outcome === 'refused' && status === NOT_FOUND ? ABSENT : undefined;
}

/** Of two writes over one version a region takes one. */
function checkConditions(row: string, history: RowHistory): Finding[] {
  const taken = new Map<string, RowOperation>();
  return history.flatMap((operation) => {
    const { over, outcome, region } = operation;
    if (over === undefined || outcome !== 'acknowledged') return [];
    const key = `${region} ${over.etag}`;
    const earlier = taken.get(key);
    taken.set(key, operation);
    if (earlier === undefined) return [];
    const message = `${region} took two writes over the version ${over.etag}`;
    return [find('unexpected', `${row} condition ${key}`, message, [earlier, operation])];
  });
}

function checkEnd(row: string, history: RowHistory, regions: readonly TableState[]): Finding[] {
  const found = regions.flatMap(({ region, rows }) =>
    judge(history, {
      seen: rows.get(row) ?? ABSENT,
      endMs: Number.POSITIVE_INFINITY,
      mustShow: () => true,
    }).map(({ verdict, what, by }) =>
      find(verdict, row, `${what}, when all is over in ${region}`, by),
    ),
  );
  return [...found, ...checkEquality(row, regions)];
}

/** Tags too: a client's If-Match survives a fail-over. */
function checkEquality(row: string, regions: readonly TableState[]): Finding[] {
  const texts = regions.map(({ rows }) => textOf(rows.get(row) ?? ABSENT));
  if (new Set(texts).size <= 1) return [];
  const shown = regions.map(({ region }, index) => `${region} has ${texts[index]}`);
  return [find('diverged', `${row} equality`, shown.join('; '))];
}

export function textOf(seen: RowSeen): string {
  if (seen.kind === 'absent') return 'nothing';
  return JSON.stringify([...PROPERTIES.map((name) => seen.values[name] ?? null), seen.etag]);
}

interface Flaw {
  readonly verdict: Verdict;
  readonly what: string;
  readonly by: readonly RowOperation[];
}

const isWrite = ({ action }: RowOperation): boolean => action !== 'read';

function judge(history: RowHistory, { seen, endMs, mustShow }: Sight): Flaw[] {
  const possible = history.filter(
    (one) => isWrite(one) && one.outcome !== 'refused' && one.startMs <= endMs + CLOCK_MARGIN_MS,
  );
  const mark = seen.kind === 'present' ? seen.values.mark : undefined;
  const isSource = ({ values }: RowOperation): boolean => values?.mark === mark;
  const sources = possible.filter(isSource);
  const rivals = possible.filter(
    (one) => !isSource(one) && one.outcome === 'acknowledged' && mustShow(one),
  );
  if (seen.kind === 'present' && sources.length === 0) {
    const by = history.filter((one) => isWrite(one) && isSource(one));
    return [{ verdict: 'unexpected', what: `nobody wrote ${mark}, or it was refused`, by }];
  }
  const isExcused =
    sources.some((source) => !rivals.some((rival) => precedes(source, rival))) ||
    (seen.kind === 'absent' && rivals.length === 0);
  if (isExcused) return seen.kind === 'present' ? judgeValues(possible, sources, seen) : [];
  const later = rivals.filter(
    (rival) => sources.length === 0 || sources.some((source) => precedes(source, rival)),
  );
  const missing = later.reduce((found, one) => (one.endMs > found.endMs ? one : found));
  const isRevived = missing.action === 'delete';
  return [
    {
      verdict: isRevived ? 'resurrected' : 'lost',
      what: `${isRevived ? `alive as ${mark} after` : `${mark ?? 'absence'} lacks`} ${describe(missing)}`,
      by: [missing],
    },
  ];
}

/** A row is what its last write made of it: nothing of another is left in it but what a merge leaves. */
function judgeValues(
  possible: RowHistory,
  sources: RowHistory,
  { values }: Extract<RowSeen, { kind: 'present' }>,
): Flaw[] {
  const isFrom = ({ values: written, action, over }: RowOperation): boolean =>
    PROPERTIES.every((name) => {
      const value = values[name];
      if (written?.[name] !== undefined || action !== 'merge') return value === written?.[name];
      if (over !== undefined) return value === over.values[name];
      return value === undefined || possible.some((one) => one.values?.[name] === value);
    });
  if (sources.some(isFrom)) return [];
  return [
    { verdict: 'torn', what: `${JSON.stringify(values)} is mixed of several writes`, by: sources },
  ];
}
