/**
 * Every use case of the console is a command of `tandem`, run in this process with the arguments that the page shows:
 * so what a page does and what its command does cannot come apart.
 */
import type { Io } from '../io.ts';

interface CommandRun {
  readonly exitCode: number;
  /** What the command says to programs; empty where it ended without a word. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Why it failed, where it did. */
  readonly failure: { readonly code: string; readonly message: string } | undefined;
}

export type CommandRunner = (
  args: readonly string[],
  options?: { readonly signal?: AbortSignal; readonly onLine?: (line: string) => void },
) => Promise<CommandRun>;

export function createCommandRunner(
  io: Io,
  runProgram: (args: readonly string[], io: Io) => Promise<number>,
): CommandRunner {
  return async (args, { signal, onLine } = {}) => {
    let out = '';
    let err = '';
    const { ask: _nobodyIsAsked, ...own } = io;
    const exitCode = await runProgram(['--json', ...args], {
      ...own,
      out: (text) => void (out += text),
      err: (text) => {
        err += text;
        onLine?.(text.trimEnd());
      },
      isTerminal: false,
      signal: signal === undefined ? io.signal : AbortSignal.any([io.signal, signal]),
    });
    const json = lastLineOf(out);
    return { exitCode, json, failure: failureOf(json, { exitCode, err }) };
  };
}

/** The last line of the output of a command is its result. */
function lastLineOf(out: string): CommandRun['json'] {
  const last = out.trimEnd().split('\n').at(-1) ?? '';
  return last.startsWith('{') ? (JSON.parse(last) as CommandRun['json']) : {};
}

function failureOf(
  { error }: CommandRun['json'],
  { exitCode, err }: { readonly exitCode: number; readonly err: string },
): CommandRun['failure'] {
  if (typeof error === 'object' && error !== null && 'code' in error && 'message' in error) {
    return { code: String(error.code), message: String(error.message) };
  }
  // Refused before it began: options that do not fit.
  return exitCode === 2 ? { code: 'USAGE', message: err.trim() } : undefined;
}

const PLAIN = /^[A-Za-z0-9_./:=@%+-]+$/;

/** Writes a command as a person types it into a shell. */
export function shownCommand(args: readonly string[]): string {
  const words = args.map((word) =>
    PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`,
  );
  return ['tandem', ...words].join(' ');
}
