import { ProblemError } from '../http/problem.ts';
import { IMPORT_LINE_BYTES_MAX } from '../http/limits.ts';
import { parseJson } from '../validation/parse-json.ts';
import { ImportLine } from '../schemas/bulk.ts';
import { compileValidator } from '../validation/validator.ts';
import { describeViolations } from '../validation/violation.ts';
import type { RawLine } from './split-lines.ts';

const validate = compileValidator({ schema: ImportLine, httpPart: 'body', method: '', url: '' });

/** Nothing but what editors and other programs leave on a line: a byte order mark, blanks. */
const BLANK = /^(?:\xef\xbb\xbf)?[ \t\r]*$/;

/** Undefined for a line without anything on it. Throws the problem that the line is. */
export function readImportLine({ bytes }: RawLine): ImportLine | undefined {
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
