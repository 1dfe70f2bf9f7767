import { assert, readPastedText } from '@tandem/core';
import type { Static, TObject, TSchema } from 'typebox';
import { Value } from 'typebox/value';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentProblem {
  readonly variable: string;
  readonly kind: 'missing' | 'invalid';
  /** What the variable has to be. Its value is never repeated: it may be a secret. */
  readonly rule: string;
  readonly example: string | undefined;
  /** Completes "it …", where something else than the rule is wrong. */
  readonly unreadable?: string;
}

export type EnvironmentReading<T> =
  | { readonly ok: true; readonly value: Readonly<T> }
  | { readonly ok: false; readonly problems: readonly EnvironmentProblem[] };

/**
 * Reads the variables that the schema names, one property each: texts, integers, numbers, booleans
 * (`true`, `false`, `1`, `0`) and choices. An empty text counts as unset. A variable that is unset
 * takes the schema's default. Finds all problems at once, so that a start fails once and not once
 * for each.
 */
export function readEnvironment<Schema extends TObject>(
  schema: Schema,
  environment: Environment,
): EnvironmentReading<Static<Schema>> {
  const value: Record<string, unknown> = {};
  const problems: EnvironmentProblem[] = [];
  for (const [variable, property] of settingsOf(schema)) {
    const reading = readVariable(property, environment[variable]);
    if (reading.kind === 'value') value[variable] = reading.value;
    if (reading.kind === 'invalid' || (reading.kind === 'unset' && isRequired(schema, variable))) {
      problems.push({
        variable,
        kind: reading.kind === 'unset' ? 'missing' : 'invalid',
        rule: describeRule(property),
        example: exampleOf(property),
        ...('unreadable' in reading ? { unreadable: reading.unreadable } : {}),
      });
    }
  }
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, value: Object.freeze(value) as Readonly<Static<Schema>> };
}

/** Returns a sentence for a problem: what a start that fails prints. */
export function describeProblem(problem: EnvironmentProblem): string {
  const { variable, kind, rule, example, unreadable } = problem;
  const complaint = kind === 'missing' ? 'is not set' : 'cannot be used';
  if (unreadable !== undefined) return `${variable} ${complaint}: it ${unreadable}.`;
  const hint = example === undefined ? '' : `, for example ${variable}=${example}`;
  return `${variable} ${complaint}: it must be ${rule}${hint}.`;
}

/** Returns a table in Markdown of every variable, sorted as in the schema. */
export function describeEnvironment(schema: TObject): string {
  const rows = settingsOf(schema).map(([variable, property]) => [
    `\`${variable}\``,
    cell(property.description ?? ''),
    cell(describeRule(property)),
    defaultCell(property, isRequired(schema, variable)),
    codeCell(exampleOf(property)),
  ]);
  return [
    ['Variable', 'Meaning', 'Value', 'Default', 'Example'],
    ['---', '---', '---', '---', '---'],
    ...rows,
  ]
    .map((row) => `| ${row.join(' | ')} |\n`)
    .join('');
}

type VariableReading =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'unset' }
  | { readonly kind: 'invalid'; readonly unreadable?: string };

function readVariable(property: SettingSchema, given: string | undefined): VariableReading {
  const read = readPastedText(given ?? '');
  if (read.kind === 'unreadable') return { kind: 'invalid', unreadable: read.problem };
  const { text } = read;
  if (text === '') {
    if (property.default === undefined) return { kind: 'unset' };
    assert(Value.Check(property as TSchema, property.default), 'a default must obey its own rule');
    return { kind: 'value', value: property.default };
  }
  const value = coerce(property, text);
  return Value.Check(property as TSchema, value) ? { kind: 'value', value } : { kind: 'invalid' };
}

const INTEGER = /^[+-]?\d+$/;
const NUMBER = /^[+-]?(?:\d+(?:\.\d+)?|\.\d+)$/;
const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, 1: true, false: false, 0: false };

/**
 * Reads a text as the type that is asked for; what cannot be read so stays a text, which the schema
 * then refuses.
 */
function coerce(property: SettingSchema, text: string): unknown {
  switch (property.type ?? 'string') {
    case 'integer':
      return INTEGER.test(text) ? Number(text) : text;
    case 'number':
      return NUMBER.test(text) ? Number(text) : text;
    case 'boolean':
      return BOOLEANS[text.toLowerCase()] ?? text;
    default:
      return text;
  }
}

function settingsOf(schema: TObject): readonly (readonly [string, SettingSchema])[] {
  return Object.entries(schema.properties as Record<string, SettingSchema>);
}

function isRequired(schema: TObject, variable: string): boolean {
  return (schema.required as readonly string[] | undefined)?.includes(variable) ?? false;
}

function exampleOf({ examples }: SettingSchema): string | undefined {
  return examples === undefined ? undefined : String([examples].flat()[0]);
}

function defaultCell(property: SettingSchema, required: boolean): string {
  if (property.default !== undefined) return codeCell(String(property.default));
  return required ? '**required**' : 'unset';
}

function codeCell(text: string | undefined): string {
  return text === undefined || text === '' ? '' : `\`${text.replaceAll('|', '\\|')}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

type SettingValue = string | number | boolean;

/** The part of a JSON schema that the schema of one setting may use. */
interface SettingSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: SettingValue;
  readonly examples?: SettingValue | readonly SettingValue[];
  readonly const?: SettingValue;
  readonly enum?: readonly SettingValue[];
  readonly anyOf?: readonly SettingSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string | RegExp;
  readonly format?: string;
}

/** Says what a value has to be, as the rest of a sentence that begins "it must be". */
function describeRule(schema: SettingSchema): string {
  const choices = choicesOf(schema);
  if (choices !== undefined) return `one of ${choices.join(', ')}`;
  switch (schema.type ?? 'string') {
    case 'integer':
      return `a whole number${range(schema)}`;
    case 'number':
      return `a number${range(schema)}`;
    case 'boolean':
      return 'true or false';
    default:
      return `a text${textLimits(schema)}`;
  }
}

function choicesOf(schema: SettingSchema): readonly string[] | undefined {
  if (schema.const !== undefined) return [String(schema.const)];
  if (schema.enum !== undefined) return schema.enum.map(String);
  return schema.anyOf?.flatMap((one) => choicesOf(one) ?? [describeRule(one)]);
}

function range({ minimum, maximum }: SettingSchema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return ` not less than ${minimum}`;
  return maximum === undefined ? '' : ` not greater than ${maximum}`;
}

function textLimits({ minLength, maxLength, pattern, format }: SettingSchema): string {
  const limits = [
    ...(minLength !== undefined && minLength > 1 ? [`of at least ${minLength} characters`] : []),
    ...(maxLength === undefined ? [] : [`of at most ${maxLength} characters`]),
    ...(pattern === undefined ? [] : [`that matches ${sourceOf(pattern)}`]),
    ...(format === undefined ? [] : [`in the form of a ${format}`]),
  ];
  return limits.length === 0 ? '' : ` ${limits.join(', ')}`;
}

function sourceOf(pattern: string | RegExp): string {
  return typeof pattern === 'string' ? pattern : pattern.source;
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/;

/** Whether nobody but this machine can reach the host. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}
