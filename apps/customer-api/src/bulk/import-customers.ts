import { escapeLineBreakers } from '@tandem/core';
import { type Static, Type } from 'typebox';
import type { CustomerService } from '../customers/customer-service.ts';
import {
  IMPORT_FAILURES_MAX,
  IMPORT_LINE_BYTES_MAX,
  IMPORT_LINES_AT_ONCE,
  IMPORT_LINES_MAX,
} from '../http/limits.ts';
import { PROBLEMS, ProblemError, toProblem, toProblemError } from '../http/problem.ts';
import { parseJson } from '../plugins/json-body.ts';
import { isUnavailable } from '../plugins/problems.ts';
import { preconditionRequired } from '../preconditions/preconditions.ts';
import { problemOfOutcome } from '../routes/answer-customer.ts';
import { CustomerBody } from '../routes/customers-schema.ts';
import {
  CustomerParams,
  REFERENCE_LENGTH_MAX,
  VERSION_LENGTH_MAX,
} from '../routes/schema-parts.ts';
import { compileValidator, describeViolations } from '../validation/validator.ts';

const { customerId } = CustomerParams.properties;

/** What an export writes can be imported as it is. */
const ImportLine = Type.Object(
  {
    customerId: Type.Optional(customerId),
    ...CustomerBody.properties,
    version: Type.Optional(Type.String({ maxLength: VERSION_LENGTH_MAX })),
    referenceId: Type.Optional(Type.String({ maxLength: REFERENCE_LENGTH_MAX })),
  },
  { additionalProperties: false },
);

type ImportLine = Static<typeof ImportLine>;

export const ImportReportLine = Type.Object(
  {
    line: Type.Optional(Type.Integer({ description: 'The line that failed.' })),
    status: Type.Optional(Type.Integer({ description: 'Of its problem.' })),
    problem: Type.Optional(Type.Unsafe<object>({ $ref: 'Problem#' })),
    settledThrough: Type.Optional(
      Type.Integer({ description: 'Every line up to it was written, or reported as failed.' }),
    ),
    written: Type.Optional(Type.Integer({ description: 'Lines written so far.' })),
    failed: Type.Optional(Type.Integer({ description: 'Lines reported as failed so far.' })),
    outcome: Type.Optional(
      Type.String({
        enum: ['complete', 'stopped'],
        description: 'On the last line only. A report without it was cut off.',
      }),
    ),
    stoppedBy: Type.Optional(
      Type.String({
        enum: ['failures', 'lines', 'store', 'stopping'],
        description:
          'More than 1,000 failed lines; more than 1,000,000 lines; the table does not answer; the ' +
          'process stops. Go on with the line after settledThrough.',
      }),
    ),
  },
  {
    $id: 'ImportReportLine',
    description: 'One line of the report.',
    examples: [
      { settledThrough: 400, written: 399, failed: 1 },
      { settledThrough: 731, written: 730, failed: 1, outcome: 'complete' },
    ],
  },
);

export type ImportReportLine = Static<typeof ImportReportLine>;

export interface ImportOptions {
  readonly customers: CustomerService;
  /** The ids of lines that name none follow from it and from the number of the line. */
  readonly key: string | undefined;
  /** The number of the first line: of an import that goes on with the rest of a file. */
  readonly firstLine: number;
  /** Is true once the server stops. */
  readonly isStopping: () => boolean;
}

type ImportStop = 'failures' | 'lines' | 'store' | 'stopping';

interface ImportProgress {
  /** Every line up to it was written, or reported as failed. */
  readonly settledThrough: number;
  readonly written: number;
  readonly failed: number;
}

export type ImportEvent =
  | { readonly kind: 'failed'; readonly line: number; readonly error: unknown }
  | ({ readonly kind: 'progress' } & ImportProgress)
  | ImportEnd;

interface ImportEnd extends ImportProgress {
  readonly kind: 'end';
  readonly stopped: ImportStop | undefined;
  /** What the table has thrown. */
  readonly error?: unknown;
}

/**
 * Writes the lines as they come, some hundred at once, and reads on only when those are written. What
 * it has told is bounded, so that a client may read it after it has sent everything. A line that
 * failed stops nothing; a table that does not answer does, after the lines that were settled.
 */
export async function* importCustomers(
  body: AsyncIterable<Buffer>,
  options: ImportOptions,
): AsyncGenerator<ImportEvent> {
  let settledThrough = options.firstLine - 1;
  let [written, failed, read] = [0, 0, 0];
  const end = (stopped: ImportStop | undefined): ImportEnd => ({
    kind: 'end',
    stopped,
    settledThrough,
    written,
    failed,
  });
  for await (const lines of inGroups(splitLines(body, IMPORT_LINE_BYTES_MAX))) {
    if (options.isStopping()) {
      yield end('stopping');
      return;
    }
    if (read >= IMPORT_LINES_MAX) {
      yield end('lines');
      return;
    }
    read += lines.length;
    const results = await writeLines(lines, settledThrough + 1, options);
    for (const result of results) {
      if (result.kind === 'not-done') {
        yield { ...end('store'), error: result.error };
        return;
      }
      if (failed >= IMPORT_FAILURES_MAX) {
        yield end('failures');
        return;
      }
      settledThrough += 1;
      if (result.kind === 'written') written += 1;
      if (result.kind !== 'failed') continue;
      failed += 1;
      yield { kind: 'failed', line: settledThrough, error: result.error };
    }
    yield { kind: 'progress', settledThrough, written, failed };
  }
  yield end(undefined);
}

type LineResult =
  | { readonly kind: 'written' | 'empty' }
  | { readonly kind: 'failed' | 'not-done'; readonly error: unknown };

async function writeLines(
  lines: readonly RawLine[],
  firstLine: number,
  options: ImportOptions,
): Promise<readonly LineResult[]> {
  return Promise.all(
    lines.map(async (line, index): Promise<LineResult> => {
      try {
        const customer = readImportLine(line);
        if (customer === undefined) return { kind: 'empty' };
        await writeLine(customer, firstLine + index, options);
        return { kind: 'written' };
      } catch (error) {
        return { kind: isUnavailable(error) ? 'not-done' : 'failed', error };
      }
    }),
  );
}

async function writeLine(
  { customerId, version: _version, referenceId: _reference, ...customer }: ImportLine,
  line: number,
  { customers, key }: ImportOptions,
): Promise<void> {
  if (customerId === undefined) {
    if (key === undefined) throw idMissing();
    const problem = problemOfOutcome(await customers.create(customer, `${key}\n${line}`));
    if (problem !== undefined) throw problem;
    return;
  }
  const isStrict = customers.isPreconditionRequired();
  const outcome = await customers.put(
    customerId,
    customer,
    isStrict ? { kind: 'absent' } : undefined,
  );
  if (outcome.kind === 'condition-failed') throw preconditionRequired();
}

function idMissing(): ProblemError {
  return new ProblemError('validation-failed', {
    detail: 'A line without a customerId takes an import with an Idempotency-Key.',
    errors: [{ in: 'body', field: '/customerId', rule: 'required', message: 'must be given' }],
  });
}

async function* inGroups(lines: AsyncIterable<RawLine>): AsyncGenerator<RawLine[]> {
  let group: RawLine[] = [];
  for await (const line of lines) {
    group.push(line);
    if (group.length < IMPORT_LINES_AT_ONCE) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

const validate = compileValidator({ schema: ImportLine, httpPart: 'body', method: '', url: '' });

/** Matches what editors and other programs leave on a line and is nothing: a byte order mark, blanks. */
const BLANK = /^(?:\xef\xbb\xbf)?[ \t\r]*$/;

/** Returns undefined for a line without anything on it. Throws the problem that the line is. */
function readImportLine({ bytes }: RawLine): ImportLine | undefined {
  if (bytes === undefined) {
    throw new ProblemError('line-too-long', {
      detail: `A line has at most ${IMPORT_LINE_BYTES_MAX} bytes.`,
    });
  }
  if (BLANK.test(bytes.toString('latin1'))) return undefined;
  const line = parseJson(bytes);
  const verdict = validate(line) as { error?: unknown };
  if (verdict.error === undefined) return line as ImportLine;
  const errors = verdict.error as unknown as Parameters<typeof describeViolations>[0];
  throw new ProblemError('validation-failed', {
    detail: 'Each entry of "errors" names a field and the rule that it breaks.',
    errors: describeViolations(errors, 'body'),
  });
}

/** The line of the report that tells of an event. */
export function toReportLine(event: ImportEvent, requestId: string): ImportReportLine {
  if (event.kind === 'failed') {
    const problem = toProblemError(event.error);
    const { status } = PROBLEMS[problem.code];
    return { line: event.line, status, problem: toProblem(problem, requestId) };
  }
  const { settledThrough, written, failed } = event;
  const progress = { settledThrough, written, failed };
  if (event.kind === 'progress') return progress;
  return event.stopped === undefined
    ? { ...progress, outcome: 'complete' }
    : { ...progress, outcome: 'stopped', stoppedBy: event.stopped };
}

/** Returns the value as one line, whatever a reader takes for the end of one. */
export function toNdjson(value: unknown): string {
  return `${escapeLineBreakers(JSON.stringify(value))}\n`;
}

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** One line, without its end; undefined when it is longer than a line may be. */
interface RawLine {
  readonly bytes: Buffer | undefined;
}

/**
 * The lines of a stream of bytes, in pieces of any size; the last one may lack its end. Reads on only
 * when asked for more, and holds no more than a piece and `lineBytesMax`.
 */
export async function* splitLines(
  pieces: AsyncIterable<Buffer>,
  lineBytesMax: number,
): AsyncGenerator<RawLine> {
  let begun: Buffer[] = [];
  let length = 0;
  const add = (part: Buffer): void => {
    length += part.length;
    if (length <= lineBytesMax) begun.push(part);
    else begun = [];
  };
  const take = (): RawLine => {
    const bytes = length > lineBytesMax ? undefined : trimEnd(Buffer.concat(begun));
    begun = [];
    length = 0;
    return { bytes };
  };
  for await (const piece of pieces) {
    let from = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, from)) {
      add(piece.subarray(from, end));
      yield take();
      from = end + 1;
    }
    if (from < piece.length) add(piece.subarray(from));
  }
  if (length > 0) yield take();
}

function trimEnd(line: Buffer): Buffer {
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}
