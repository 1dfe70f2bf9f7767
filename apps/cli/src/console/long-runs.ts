/**
 * Commands that take long, and go on whether anybody looks or not: a visit that ended, a tab that was closed and a
 * second visitor change nothing about them. Each has a file, written before it begins and when it has ended, so that a
 * console that was started anew tells which were broken off. What a command did stays done, and the same command goes
 * on from there: that is why nothing more than the command is kept of one that was broken off.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@tandem/core';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { UsageError } from '../exit-codes.ts';
import type { Audit } from './audit.ts';
import { type CommandRun, type CommandRunner, shownCommand } from './run-command.ts';

const resultSchema = Type.Object({
  endedMs: Type.Integer(),
  exitCode: Type.Integer(),
  /** What a person is told, or why it failed. */
  text: Type.String(),
  isFailure: Type.Boolean(),
  /** What programs are told; null where it is too much to be kept. */
  json: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
});

const recordSchema = Type.Object({
  id: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  kind: Type.String(),
  args: Type.Array(Type.String()),
  /** Its name is asked for before the plan is carried out; null where it can lose nothing. */
  region: Type.Union([Type.String(), Type.Null()]),
  person: Type.String(),
  begunMs: Type.Integer(),
  result: Type.Optional(resultSchema),
});

type RunRecord = Static<typeof recordSchema>;
type RunResult = Static<typeof resultSchema>;

export interface LongRun extends RunRecord {
  readonly state: 'running' | 'ended' | 'broken-off';
  /** How far it is, as a terminal would show it; empty before it has said so. */
  readonly progress: string;
  /** Holds the newest of what it said beside its outcome. */
  readonly lines: readonly string[];
}

interface RunChoice extends Pick<RunRecord, 'kind' | 'region' | 'person'> {
  readonly args: readonly string[];
}

export interface LongRuns {
  /**
   * Begins a command, or returns the run of the same command that is under way. Throws `UsageError` while too many are,
   * and what the disk throws: then nothing was done.
   */
  begin(choice: RunChoice): Promise<LongRun>;
  find(id: string): Promise<LongRun | undefined>;
  /** Returns the newest first. */
  list(): Promise<readonly LongRun[]>;
  /** Has it stop as Ctrl-C does. */
  cancel(id: string): void;
  /** Has all stop, and resolves when their ends are written down. */
  close(): Promise<void>;
}

/** It holds ids of customers. */
const OWNER_ONLY = 0o600;
const OWNER_ONLY_FOLDER = 0o700;
const RUNNING_MAX = 4;
const KEPT_MAX = 100;
const LINES_MAX = 50;
const TEXT_LENGTH_MAX = 256 * 1024;
const JSON_LENGTH_MAX = 64 * 1024;
const ID_BYTES = 8;

export interface LongRunsOptions {
  readonly folder: string;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly run: CommandRunner;
  readonly audit: Audit;
  readonly onFault: (error: unknown) => void;
}

interface Running {
  readonly record: RunRecord;
  readonly stop: AbortController;
  readonly lines: string[];
  progress: string;
  ended: Promise<void>;
}

/** Holds what is under way, and what is known of all. */
interface Book {
  readonly running: Map<string, Running>;
  /** Returns those of the folder, which it reads once. */
  readonly records: () => Promise<Map<string, RunRecord>>;
}

export function createLongRuns(options: LongRunsOptions): LongRuns {
  const running = new Map<string, Running>();
  let known: Promise<Map<string, RunRecord>> | undefined;
  const records = (): Promise<Map<string, RunRecord>> =>
    (known ??= readRecords(options.folder).catch((error: unknown) => {
      // A disk that failed once is asked again.
      known = undefined;
      throw error;
    }));
  const book: Book = { running, records };

  const shown = (record: RunRecord): LongRun => {
    const live = running.get(record.id);
    const { progress = '', lines = [] } = live ?? {};
    const state = live ? 'running' : record.result ? 'ended' : 'broken-off';
    return { ...record, state, progress, lines };
  };
  return {
    begin: async (choice) => shown(await begin(book, options, choice)),
    async find(id) {
      const record = running.get(id)?.record ?? (await records()).get(id);
      return record === undefined ? undefined : shown(record);
    },
    async list() {
      const all = [...(await records()).values()].map(shown);
      return all.toSorted((a, b) => b.begunMs - a.begunMs);
    },
    cancel: (id) => running.get(id)?.stop.abort(),
    async close() {
      const all = [...running.values()];
      for (const { stop } of all) stop.abort();
      await Promise.all(all.map(({ ended }) => ended));
    },
  };
}

async function begin(
  { running, records }: Book,
  options: LongRunsOptions,
  choice: RunChoice,
): Promise<RunRecord> {
  const { folder, clock, audit, onFault } = options;
  const command = shownCommand(choice.args);
  for (const { record } of running.values()) {
    // Whoever presses second sees what the first began.
    if (shownCommand(record.args) === command) return record;
  }
  if (running.size >= RUNNING_MAX) {
    throw new UsageError(
      `${RUNNING_MAX} commands are under way: nothing was begun. Wait for one of them to end, or stop it.`,
    );
  }
  const id = randomBytes(ID_BYTES).toString('hex');
  const record: RunRecord = { ...choice, args: [...choice.args], id, begunMs: clock.nowMs() };
  const stop = new AbortController();
  const live: Running = { record, stop, lines: [], progress: '', ended: Promise.resolve() };
  // Before anything is waited for, so that two who press at once begin one.
  running.set(id, live);
  try {
    const all = await records();
    await makeRoom(folder, { running, all });
    await save(folder, record);
    await audit.write({ person: choice.person, what: 'begun', command });
    all.set(id, record);
  } catch (error) {
    running.delete(id);
    throw error;
  }
  live.ended = work({ running, records }, options, live).catch(onFault);
  return record;
}

/** Runs to the end, which is known also where it cannot be written down. */
async function work(
  { running, records }: Book,
  options: LongRunsOptions,
  live: Running,
): Promise<void> {
  const { folder, clock, audit, onFault } = options;
  const { record } = live;
  const said = await runOne(options, live);
  const ended = { ...record, result: resultOf(said, clock.nowMs()) };
  const { person, args } = record;
  const line = { person, what: 'ended', command: shownCommand(args) } as const;
  const writing = [save(folder, ended), audit.write({ ...line, exitCode: said.exitCode })];
  for (const written of await Promise.allSettled(writing)) {
    if (written.status === 'rejected') onFault(written.reason);
  }
  (await records()).set(record.id, ended);
  running.delete(record.id);
}

type Said = Pick<CommandRun, 'exitCode' | 'json' | 'text' | 'failure'>;

async function runOne({ run, onFault }: LongRunsOptions, live: Running): Promise<Said> {
  try {
    return await run(live.record.args, {
      asText: true,
      person: live.record.person,
      signal: live.stop.signal,
      onProgress: (text) => void (live.progress = text),
      onLine(line) {
        live.lines.push(line);
        if (live.lines.length > LINES_MAX) live.lines.shift();
      },
    });
  } catch (error) {
    onFault(error);
    const message = 'The console met an error of its own; its terminal shows it.';
    return { exitCode: 1, json: {}, text: '', failure: { code: 'FAULT', message } };
  }
}

function resultOf({ exitCode, json, text, failure }: Said, endedMs: number): RunResult {
  const said = failure?.message ?? text;
  const cut = said.slice(0, TEXT_LENGTH_MAX);
  return {
    endedMs,
    exitCode,
    text: cut.length < said.length ? `${cut}\n(Cut off here: the command says all of it.)` : said,
    isFailure: failure !== undefined,
    json: JSON.stringify(json).length > JSON_LENGTH_MAX ? null : { ...json },
  };
}

/** Written beside and moved into its place, so that no reader and no crash meets half of one. */
async function save(folder: string, record: RunRecord): Promise<void> {
  await mkdir(folder, { recursive: true, mode: OWNER_ONLY_FOLDER });
  const file = join(folder, `${record.id}.json`);
  await writeFile(`${file}.new`, JSON.stringify(record), { mode: OWNER_ONLY });
  await rename(`${file}.new`, file);
}

/** Forgets the oldest that are not under way. */
async function makeRoom(
  folder: string,
  { running, all }: Pick<Book, 'running'> & { readonly all: Map<string, RunRecord> },
): Promise<void> {
  const idle = [...all.values()].filter(({ id }) => !running.has(id));
  const oldest = idle.toSorted((a, b) => a.begunMs - b.begunMs);
  for (const { id } of oldest.slice(0, Math.max(0, all.size - KEPT_MAX + 1))) {
    await rm(join(folder, `${id}.json`), { force: true });
    all.delete(id);
  }
}

const checkRecord = Compile(recordSchema);

/** Leaves out what cannot be read: it is none of ours, or of a build to come. */
async function readRecords(folder: string): Promise<Map<string, RunRecord>> {
  const names = (await readNames(folder)).filter((name) => name.endsWith('.json'));
  const found = new Map<string, RunRecord>();
  for (const name of names) {
    const record = parse(await readFile(join(folder, name), 'utf8'));
    if (checkRecord.Check(record)) found.set(record.id, record);
  }
  return found;
}

async function readNames(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
