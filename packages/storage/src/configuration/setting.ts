import { readPastedText, unwrapPastedText } from '@tandem/core';

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

export interface SettingOptions<T> {
  readonly formerName?: string;
  readonly description: string;
  readonly example?: string;
  readonly default?: T;
  readonly required?: true | { readonly when: string; readonly is: string | number | boolean };
  /** `restart` by default: `now` is only what every process asks for each time that it needs it. */
  readonly takesEffect?: TakesEffect;
}

/** A setting that always has a value has no `undefined` in its type. */
export type Resolved<T, O> = O extends { required: true } | { default: {} | null }
  ? T
  : T | undefined;

interface SettingKind<T> {
  readonly rule: string;
  readonly example: string;
  readonly isSecret?: boolean;
  /** It has a form of its own, whose parts `parse` reads one by one. */
  readonly isStructured?: boolean;
  /** Gets the text without what pasting leaves around it; never an empty one. */
  readonly parse: (text: string) => Parsed<T>;
}

export function define<T, O extends SettingOptions<T>>(
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
