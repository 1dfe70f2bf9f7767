import {
  AppError,
  type Catalogue,
  catalogKind,
  currentTable,
  type EntityKind,
  formatGeneration,
  openTableId,
  rowsKindOf,
  type TableGeneration,
  tableKeyOf,
  UNREADABLE,
} from '@tandem/core';
import { readTables } from '@tandem/storage';
import type { Command } from 'commander';
import { EXIT, type ExitCode, exitCodeOf, NotFoundError, UsageError } from './exit-codes.ts';
import type { Io } from './io.ts';
import {
  type ClientTable,
  chooseKind,
  findKind,
  takesClientTables,
} from './regions/choose-kind.ts';
import { requireAtRest } from './regions/open-writer.ts';
import { escapeLines, indentRest, toJsonLine } from './report/escape-text.ts';
import { type CommonOptions, createSession, type Session } from './session.ts';

/** What a command has to say: to a person, to a program, and as an exit code. */
export interface Outcome {
  /**
   * Shown with all but its line breaks escaped. Where a value of others could hold one, as an id or a reason
   * may, it goes in by `escapeValue`; tables do that.
   */
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
  /** Is 0 by default. */
  readonly exitCode?: ExitCode;
}

/** Names the table that a command is about; undefined for the customers. */
type TableOf<Options> = (options: Options) => string | undefined;

type Work<Options> = (
  session: Session,
  options: Options & CommonOptions,
  args: readonly string[],
) => Promise<Outcome>;

/** Commands add themselves to the program with this. */
export interface Cli {
  readonly io: Io;
  readonly program: Command;
  /** Runs the work when the command is chosen, prints its outcome, and keeps the exit code. */
  readonly act: <Options extends object>(
    command: Command,
    work: Work<Options>,
    /** Reads the option `--table` by default. */
    tableOf?: TableOf<Options>,
  ) => void;
  /** Runs another command line to its end, for the command that stands for all of them. */
  readonly runProgram: RunProgram;
}

type RunProgram = (args: readonly string[], io: Io) => Promise<number>;

interface CliOptions {
  readonly io: Io;
  readonly onExit: (code: ExitCode) => void;
  readonly runProgram: RunProgram;
}

export function createCli(program: Command, { io, onExit, runProgram }: CliOptions): Cli {
  return {
    io,
    program,
    runProgram,
    act: <Options extends object>(
      command: Command,
      work: Work<Options>,
      tableOf: TableOf<Options> = tableOption,
    ) => {
      command.action(async () => {
        const options = command.optsWithGlobals<Options & CommonOptions>();
        const session = createSession(io, options);
        const outcome = await settle(async () => {
          const about = await sessionAbout(session, command, tableOf(options));
          return work(about, options, command.args);
        }, io);
        session.progress.end();
        onExit(outcome.exitCode ?? EXIT.ok);
        print(nameOf(command), outcome, { io, isJson: options.json });
      });
    },
  };
}

/** Finds whose rows are meant: those of a kind, or, for a command that knows them, of a table of clients. */
async function sessionAbout(
  session: Session,
  command: Command,
  name: string | undefined,
): Promise<Session> {
  if (name === undefined || findKind(name) !== undefined || !takesClientTables(command)) {
    return session.of(chooseKind(name));
  }
  const { kind, table } = await findClientTable(session, name);
  return session.of(kind, table);
}

function tableOption(options: { readonly table?: string }): string | undefined {
  return options.table;
}

interface Failure extends Outcome {
  readonly isFailure: true;
}

/** Turns what went wrong into an outcome; only broken invariants are thrown on. */
async function settle(work: () => Promise<Outcome>, io: Io): Promise<Outcome | Failure> {
  try {
    return await work();
  } catch (error) {
    if (io.signal.aborted) {
      const text = 'Interrupted. What was done stays done: run the same command again to go on.';
      return fail('INTERRUPTED', text, EXIT.interrupted);
    }
    if (error instanceof UsageError) return fail('USAGE', error.message, EXIT.usage);
    if (error instanceof NotFoundError) return fail('NOT_FOUND', error.message, EXIT.finding);
    if (error instanceof AppError) return fail(error.code, error.message, exitCodeOf(error));
    throw error;
  }
}

function fail(code: string, message: string, exitCode: ExitCode): Failure {
  return { isFailure: true, text: message, json: { error: { code, message } }, exitCode };
}

interface Printing {
  readonly io: Io;
  readonly isJson: boolean;
}

function print(command: string, outcome: Outcome | Failure, { io, isJson }: Printing): void {
  const { text, json, exitCode = EXIT.ok } = outcome;
  const isFailure = 'isFailure' in outcome;
  const toLine = (): string => toJsonLine({ command, ok: exitCode === EXIT.ok, ...json });
  io.onOutcome?.(toLine());
  const shown = isFailure ? indentRest(escapeLines(text)) : escapeLines(text);
  if (isFailure || (isJson && text !== '' && exitCode !== EXIT.ok)) io.err(`${shown}\n`);
  if (isJson) io.out(`${toLine()}\n`);
  else if (!isFailure && text !== '') io.out(`${shown}\n`);
}

/** Returns the whole name: `conflicts list`. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}

/**
 * Finds the table that a name stands for: of the catalogues that can be read the highest generation, one that lives
 * before one that was deleted. Throws `UsageError` where none knows the name.
 */
async function findClientTable(
  session: Session,
  name: string,
): Promise<{ readonly kind: EntityKind; readonly table: ClientTable }> {
  const key = readKey(name);
  const { regions } = await session.inventory();
  const all: TableGeneration[] = [];
  const silent: string[] = [];
  for (const region of regions) {
    const catalogue = await readCatalogueOf(session, region.name);
    if (catalogue === undefined) silent.push(region.name);
    all.push(...(catalogue?.get(key) ?? []));
  }
  const known = all.toSorted((a, b) => a.generation - b.generation);
  const found = currentTable(known) ?? known.findLast(({ createdMs }) => createdMs !== undefined);
  if (found === undefined) {
    const unread = silent.length === 0 ? '' : ` Without an answer: ${silent.join(', ')}.`;
    throw new UsageError(`No catalogue has a table "${name}".${unread}`);
  }
  if (found.source === UNREADABLE) {
    throw new UsageError(
      `A newer build wrote how table ${found.name} is kept, and where its rows are. Use its command.`,
    );
  }
  requireAtRest(found);
  return {
    kind: rowsKindOf(found),
    table: {
      name: found.name,
      policy: found.policy,
      tableId: openTableId(key, formatGeneration(found.rowsOf)),
    },
  };
}

/** What is no name of a table is none of a kind either. */
function readKey(name: string): string {
  try {
    return tableKeyOf(name);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    chooseKind(name);
    throw error;
  }
}

/** Returns undefined for a region that does not answer, or has no catalogue. */
async function readCatalogueOf(session: Session, region: string): Promise<Catalogue | undefined> {
  try {
    return await readTables({ store: (await session.of(catalogKind).openAsIs(region)).store });
  } catch (error) {
    const isAway = error instanceof AppError && (error.retryable || error.code === 'TABLE_MISSING');
    if (isAway) return undefined;
    throw error;
  }
}
