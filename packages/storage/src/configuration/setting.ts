import { readPastedText, unwrapPastedText } from '@tandem/core';
import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';

/**
 * What a setting is: its rule, its type, and what holds when it is not there. A row of the table
 * `Configuration` holds a text; `parse` makes it a value.
 */
export type Parsed<T> =
  | { readonly kind: 'value'; readonly value: T }
  /** `problem` never quotes the text: it may be a secret. */
  | { readonly kind: 'malformed'; readonly problem: string };

type SettingPresence =
  | { readonly kind: 'required' }
  /** Only while another setting has this value. */
  | {
      readonly kind: 'required-when';
      readonly setting: string;
      readonly is: string | number | boolean;
    }
  | { readonly kind: 'default'; readonly value: unknown }
  | { readonly kind: 'optional' };

/** Whether the processes that run read a changed value by themselves, or when they are started the next time. */
export type TakesEffect = 'now' | 'restart';

export interface SettingDefinition<T = unknown> {
  /** The name that it had in earlier releases, which is still read; see docs/adr/0029. */
  readonly formerName?: string;
  readonly description: string;
  readonly rule: string;
  readonly example: string;
  readonly isSecret: boolean;
  readonly presence: SettingPresence;
  readonly takesEffect: TakesEffect;
  parse(text: string): Parsed<T>;
}

interface SettingOptions<T> {
  readonly formerName?: string;
  readonly description: string;
  readonly example?: string;
  readonly default?: T;
  readonly required?: true | { readonly when: string; readonly is: string | number | boolean };
  /** `restart` by default: `now` is only what every process asks for each time that it needs it. */
  readonly takesEffect?: TakesEffect;
}

/** A setting that always has a value has no `undefined` in its type. */
type Resolved<T, O> = O extends { required: true } | { default: {} | null } ? T : T | undefined;

interface SettingKind<T> {
  readonly rule: string;
  readonly example: string;
  readonly isSecret?: boolean;
  /** It has a form of its own, whose parts `parse` reads one by one. */
  readonly isStructured?: boolean;
  /** Gets the text without what pasting leaves around it; never an empty one. */
  readonly parse: (text: string) => Parsed<T>;
}

function define<T, O extends SettingOptions<T>>(
  options: O,
  kind: SettingKind<T>,
): SettingDefinition<Resolved<T, O>> {
  const { description, formerName, example = kind.example, takesEffect = 'restart' } = options;
  return {
    ...(formerName === undefined ? {} : { formerName }),
    description,
    example,
    rule: kind.rule,
    isSecret: kind.isSecret ?? false,
    presence: presenceOf(options),
    takesEffect,
    parse: (given) => {
      const read = kind.isStructured === true ? unwrapPastedText(given) : readPastedText(given);
      return read.kind === 'text' ? kind.parse(read.text) : malformed(read.problem);
    },
  };
}

function presenceOf(options: SettingOptions<unknown>): SettingPresence {
  const { required } = options;
  if (required === true) return { kind: 'required' };
  if (required !== undefined) {
    return { kind: 'required-when', setting: required.when, is: required.is };
  }
  if (options.default !== undefined) return { kind: 'default', value: options.default };
  return { kind: 'optional' };
}

export function valueOf<T>(value: T): Parsed<T> {
  return { kind: 'value', value };
}

export function malformed(problem: string): { kind: 'malformed'; problem: string } {
  return { kind: 'malformed', problem };
}

/**
 * Returns the name under which the environment can override a setting: `Customer.Queue` is `CUSTOMER_QUEUE`,
 * `ServiceBusConnection` is `SERVICE_BUS_CONNECTION`.
 */
export function environmentNameOf(setting: string): string {
  return setting
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase();
}

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

// The kinds of settings: each makes a definition whose value has the type that the options imply.

interface TextRule {
  /** Comes before the rule, and may find a problem of its own. */
  readonly read?: (text: string) => Parsed<string>;
  /** The whole text matches it. */
  readonly pattern?: RegExp;
  /** In words, such as "a region name". */
  readonly rule?: string;
}

export function text<const O extends SettingOptions<string> & TextRule>(
  options: O,
): SettingDefinition<Resolved<string, O>> {
  const rule = options.rule ?? 'a text';
  return define<string, O>(options, { rule, example: 'text', parse: textParser(options) });
}

export function secret<const O extends SettingOptions<Secret> & TextRule>(
  options: O,
): SettingDefinition<Resolved<Secret, O>> {
  const rule = options.rule ?? 'a text';
  const parse = textParser(options);
  return define<Secret, O>(options, {
    rule,
    example: '…',
    isSecret: true,
    parse: (text) => {
      const parsed = parse(text);
      return parsed.kind === 'value' ? valueOf(createSecret(parsed.value)) : parsed;
    },
  });
}

function textParser({ pattern, read = valueOf }: TextRule): (text: string) => Parsed<string> {
  return (given) => {
    const text = read(given);
    if (text.kind === 'malformed') return text;
    return pattern?.test(text.value) === false ? malformed('does not fit') : text;
  };
}

interface IntegerRule {
  readonly min: number;
  readonly max: number;
}

export function integer<const O extends SettingOptions<number> & IntegerRule>(
  options: O,
): SettingDefinition<Resolved<number, O>> {
  return wholeNumber(options, `a whole number from ${options.min} to ${options.max}`);
}

export function durationMs<const O extends SettingOptions<number> & IntegerRule>(
  options: O,
): SettingDefinition<Resolved<number, O>> {
  return wholeNumber(options, `milliseconds, ${options.min} to ${options.max}`);
}

function wholeNumber<const O extends SettingOptions<number> & IntegerRule>(
  options: O,
  rule: string,
): SettingDefinition<Resolved<number, O>> {
  const { min, max } = options;
  const example = String(options.default ?? min);
  return define<number, O>(options, {
    rule,
    example,
    parse: (text) => {
      const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? valueOf(value) : malformed('does not fit');
    },
  });
}

export function boolean<const O extends SettingOptions<boolean>>(
  options: O,
): SettingDefinition<Resolved<boolean, O>> {
  const rule = 'true or false';
  return define<boolean, O>(options, {
    rule,
    example: 'true',
    parse: (text) =>
      text === 'true' || text === 'false' ? valueOf(text === 'true') : malformed('does not fit'),
  });
}

export function choice<const C extends string, const O extends SettingOptions<NoInfer<C>>>(
  options: O & { readonly choices: readonly [C, ...C[]] },
): SettingDefinition<Resolved<C, O>> {
  const { choices } = options;
  const rule = `one of ${choices.join(', ')}`;
  return define<C, O>(options, {
    rule,
    example: choices[0],
    parse: (text) => {
      const value = choices.find((choice) => choice === text);
      return value === undefined ? malformed('does not fit') : valueOf(value);
    },
  });
}

interface JsonRule<S extends TSchema, T> {
  readonly schema: S;
  readonly rule: string;
  readonly example: string;
  readonly isSecret?: boolean;
  /** What the schema cannot say. */
  readonly findProblem?: (json: Static<S>) => string | undefined;
  /** Makes what was checked into the value, for instance its secrets into `Secret`s. */
  readonly read: (json: Static<S>) => T;
}

export function json<S extends TSchema, T, const O extends SettingOptions<T>>(
  options: O & JsonRule<S, T>,
): SettingDefinition<Resolved<T, O>> {
  return define<T, O>(options, {
    rule: options.rule,
    example: options.example,
    isSecret: options.isSecret ?? false,
    isStructured: true,
    parse: (text) => {
      const parsed = parseJson(text);
      if (parsed.kind === 'malformed') return parsed;
      const { value } = parsed;
      const [first] = Value.Errors(options.schema, value);
      const problem =
        first === undefined
          ? options.findProblem?.(value as Static<S>)
          : `${first.instancePath || 'it'} ${first.message}`;
      if (problem === undefined) return valueOf(options.read(value as Static<S>));
      return malformed(`does not fit: ${problem}`);
    },
  });
}

/** Reads JSON whose texts are pasted as any other. */
function parseJson(json: string): Parsed<unknown> {
  let problem: string | undefined;
  const revive = (_: string, given: unknown): unknown => {
    if (typeof given !== 'string') return given;
    const read = readPastedText(given);
    if (read.kind === 'text') return read.text;
    problem ??= read.problem;
    return given;
  };
  try {
    const value: unknown = JSON.parse(json, revive);
    return problem === undefined ? valueOf(value) : malformed(problem);
  } catch (error) {
    if (error instanceof SyntaxError) return malformed('is no JSON');
    throw error;
  }
}
