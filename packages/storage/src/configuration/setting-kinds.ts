/** The kinds of settings: each makes a definition whose value has the type that the options imply. */
import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { createSecret, type Secret } from './secret.ts';
import {
  define,
  malformed,
  type Parsed,
  type Resolved,
  type SettingDefinition,
  type SettingOptions,
  valueOf,
} from './setting.ts';

interface TextRule {
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

function textParser({ pattern }: TextRule): (text: string) => Parsed<string> {
  return (text) => (pattern?.test(text) === false ? malformed('does not fit') : valueOf(text));
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
    parse: (text) => {
      if (text.includes('\0')) return malformed('was saved as UTF-16: save it as UTF-8');
      const value = parseJson(text);
      if (value === undefined) return malformed('is no JSON');
      const [first] = Value.Errors(options.schema, value);
      if (first === undefined) return valueOf(options.read(value as Static<S>));
      return malformed(`does not fit: ${first.instancePath || 'it'} ${first.message}`);
    },
  });
}

function parseJson(text: string): unknown {
  try {
    // What a file was pasted from may have had a byte order mark.
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
