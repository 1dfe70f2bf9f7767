import { isAscii } from 'node:buffer';
import { ProblemError } from '../http/problem.ts';
import { hasRepeatedKey } from './repeated-key.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Throws `malformed-json`, also for an object that names a field twice: which one counts, none says. */
export function parseJson(bytes: Buffer): unknown {
  let text: string;
  let value: unknown;
  try {
    text = isAscii(bytes) ? bytes.toString('latin1') : decoder.decode(bytes);
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, so nothing of it is passed on.
    throw new ProblemError('malformed-json', { detail: 'The body cannot be parsed.' });
  }
  if (!hasRepeatedKey(text)) return value;
  throw new ProblemError('malformed-json', {
    detail: 'An object of the body names a field twice.',
  });
}
