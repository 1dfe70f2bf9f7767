/** Says what to run, and how it tells that it runs. */
export interface Program {
  /** Names it for people, and its log: `east API`. */
  readonly name: string;
  /** Is the absolute path of the file that Node runs. */
  readonly main: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly isReadyLine: (line: string) => boolean;
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
  /** Tells whether it ends on its own when the channel to its parent closes. */
  readonly watchesParent: boolean;
}

// A stray PORT or LOG_LEVEL of the shell must not reach what runs here.
const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG'];

export function environmentOf(program: Program): Record<string, string> {
  const passedOn = PASSED_ON.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const parent = program.watchesParent
    ? { TANDEM_EXIT_WITH_PARENT: '1' }
    : { TANDEM_STOP_SIGNAL: program.stopSignal };
  return { ...Object.fromEntries(passedOn), NO_COLOR: '1', ...parent, ...program.env };
}

/** Is preloaded into a program with a channel to its parent, so that it does not outlive it. */
export const EXIT_WITH_PARENT = import.meta.resolve('./exit-with-parent.ts');

export function argumentsOf(program: Program): string[] {
  const imports = program.watchesParent ? [] : ['--import', EXIT_WITH_PARENT];
  return [...imports, program.main, ...program.args];
}

/** Knows the line that every service of ours prints when it listens. */
export function isReadyEvent(line: string): boolean {
  if (!line.startsWith('{') || !line.includes('"ready"')) return false;
  try {
    return (JSON.parse(line) as { event?: unknown }).event === 'ready';
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
