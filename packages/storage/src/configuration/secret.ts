/** A text that does not print itself: in a log, in JSON or in an error it is only `[secret]`. */
export interface Secret {
  /** Give it to whom it is meant for, and to no one else. */
  reveal(): string;
  toString(): string;
  toJSON(): string;
}

const REDACTED = '[secret]';
/** What `util.inspect`, and so `console.log`, asks an object for. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

export function createSecret(text: string): Secret {
  const redact = (): string => REDACTED;
  return { reveal: () => text, toString: redact, toJSON: redact, [INSPECT]: redact } as Secret;
}
