/**
 * Every use case of the console is a command of `tandem`, run in this process with the arguments that the page shows:
 * so what a page does and what its command does cannot come apart.
 */
import { EXIT, UsageError } from '../exit-codes.ts';
import type { Io } from '../io.ts';

export interface CommandRun {
  readonly exitCode: number;
  /** What the command says to programs; empty where it ended without a word. */
  readonly json: Readonly<Record<string, unknown>>;
  /** What it says to a person, where that was asked for. */
  readonly text: string;
  /** Why it failed, where it did. */
  readonly failure: { readonly code: string; readonly message: string } | undefined;
}

export type CommandRunner = (
  args: readonly string[],
  options?: {
    readonly signal?: AbortSignal;
    readonly onLine?: (line: string) => void;
    /** Told how far it is, as a terminal would be. */
    readonly onProgress?: (text: string) => void;
    /** Asks for what a person is told in place of the JSON. */
    readonly asText?: boolean;
    /** Who had it run, for a command that writes that down; by default whoever started the console. */
    readonly person?: string;
  },
) => Promise<CommandRun>;

/** Tells who sits at a terminal what to type next, where a page has a button. */
const HINT = / ?Run it (?:again )?with --apply(?: to do it)?\.?(?=\s|$)/g;

export function createCommandRunner(
  io: Io,
  runProgram: (args: readonly string[], io: Io) => Promise<number>,
): CommandRunner {
  return async (args, { signal, onLine, onProgress, asText = false, person } = {}) => {
    let out = '';
    let err = '';
    let line = '{}';
    const { ask: _nobodyIsAsked, ...own } = io;
    const exitCode = await runProgram(asText ? args : ['--json', ...args], {
      ...own,
      environment: person === undefined ? io.environment : { ...io.environment, USER: person },
      out: (text) => void (out += text),
      err: (text) => {
        err += text;
        onLine?.(text.trimEnd());
      },
      isTerminal: false,
      onOutcome: (said) => void (line = said),
      ...(onProgress === undefined ? {} : { onProgress }),
      signal: signal === undefined ? io.signal : AbortSignal.any([io.signal, signal]),
    });
    const json = JSON.parse(line) as CommandRun['json'];
    // One that was never begun, for options that there are not, has said so in words alone.
    const failure =
      failureOf(json) ??
      (exitCode === EXIT.usage ? { code: 'USAGE', message: err.trim() } : undefined);
    const text = asText ? out.replaceAll(HINT, '').trimEnd() : '';
    return { exitCode, json, text, failure };
  };
}

function failureOf({ error }: CommandRun['json']): CommandRun['failure'] {
  if (typeof error !== 'object' || error === null) return undefined;
  if (!('code' in error && 'message' in error)) return undefined;
  return { code: String(error.code), message: String(error.message) };
}

/** Returns an option with a value of others, which is its value also where it looks like an option itself. */
export function optionArgs(name: string, value: string): readonly string[] {
  return value.startsWith('-') ? [`${name}=${value}`] : [name, value];
}

/** Returns what names something. Throws `UsageError` for what a command would take for an option. */
export function argument(value: string): string {
  if (!value.startsWith('-')) return value;
  throw new UsageError(`"${value}" names nothing: it begins with a dash.`);
}

const PLAIN = /^[A-Za-z0-9_./:=@%+-]+$/;

/** Writes a command as a person types it into a shell. */
export function shownCommand(args: readonly string[]): string {
  return ['tandem', ...args.map(shownWord)].join(' ');
}

/** Writes one word as a shell takes it. */
export function shownWord(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
