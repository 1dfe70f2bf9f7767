/**
 * The kinds of settings: each makes a definition whose value has the type that the options imply.
 */
import { readPastedText } from '@tandem/core';
import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import {
  createSecret,
  define,
  malformed,
  type Parsed,
  type Resolved,
  type Secret,
  type SettingDefinition,
  type SettingOptions,
  valueOf,
} from './setting.ts';

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
