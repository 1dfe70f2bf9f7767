import { type AppErrorCode, TerminalError, TransientError } from '@tandem/core';
import { createSeededRandomness, createVirtualClock } from '@tandem/core/memory';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createCli, type Outcome } from './act.ts';
import { NotFoundError, UsageError } from './exit-codes.ts';
import type { Io } from './io.ts';

/** Runs `tandem thing list` with that work. */
async function run(
  work: () => Promise<Outcome>,
  { isJson = false, signal = new AbortController().signal } = {},
) {
  let out = '';
  let err = '';
  let code: number | undefined;
  const unused = () => expect.unreachable();
  const io: Io = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    isTerminal: false,
    environment: {},
    folder: '/nowhere',
    openStore: unused,
    inspectQueue: unused,
    readReadiness: unused,
    openQueue: unused,
    clock: createVirtualClock(0),
    randomness: createSeededRandomness(1),
    signal,
  };
  const program = new Command('tandem').option('--json', '', false);
  const cli = createCli(program, {
    io,
    onExit: (given) => {
      code = given;
    },
    runProgram: async () => 0,
  });
  cli.act(program.command('thing').command('list'), work);
  await program.parseAsync(['thing', 'list', ...(isJson ? ['--json'] : [])], { from: 'user' });
  return { code, out, err };
}

const throwing = (error: Error) => async (): Promise<Outcome> => {
  throw error;
};

describe('the outcome of a command', () => {
  test.each([
    [{ text: 'Done.\nTwice.', json: { n: 1 } }, 0, 'Done.\nTwice.\n', ''],
    [{ text: '', json: {} }, 0, '', ''],
    [{ text: 'They differ.', json: {}, exitCode: 3 as const }, 3, 'They differ.\n', ''],
  ])('is told to a person: %j', async (outcome, code, out, err) => {
    expect(await run(async () => outcome)).toEqual({ code, out, err });
  });

  test.each([
    [{ text: 'Done.', json: { n: 1 } }, 0, true, ''],
    [{ text: 'They differ.', json: { n: 1 }, exitCode: 3 as const }, 3, false, 'They differ.\n'],
    [{ text: '', json: { n: 1 }, exitCode: 3 as const }, 3, false, ''],
  ])('is one line of JSON to a program: %j', async (outcome, code, ok, err) => {
    const told = await run(async () => outcome, { isJson: true });
    expect(told).toMatchObject({ code, err });
    expect(told.out.endsWith('}\n')).toBe(true);
    expect(JSON.parse(told.out)).toEqual({ command: 'thing list', ok, n: 1 });
  });

  test('that fails is told on stderr, its further lines as none of their own', async () => {
    const told = await run(throwing(new UsageError('No.\nRegions are equal.')));
    expect(told).toEqual({ code: 2, out: '', err: 'No.\n  Regions are equal.\n' });
  });
});

describe('a failure has an exit code that scripts rely on', () => {
  const transient: readonly [AppErrorCode, number][] = [
    ['TABLE_THROTTLED', 4],
    ['TABLE_UNAVAILABLE', 4],
    ['TABLE_OUTCOME_UNKNOWN', 4],
    ['BUS_UNAVAILABLE', 4],
    ['BUS_THROTTLED', 4],
    ['RECOVERY_BUSY', 6],
    ['WRITE_CONTENDED', 1],
  ];
  const terminal: readonly [AppErrorCode, number][] = [
    ['TABLE_FORBIDDEN', 5],
    ['BUS_FORBIDDEN', 5],
    ['ARCHIVE_DAMAGED', 7],
    ['ROW_MALFORMED', 7],
    ['CONFIGURATION_INVALID', 2],
    ['TABLE_FOREIGN', 2],
    ['CURSOR_INVALID', 2],
    ['RECOVERY_REFUSED', 1],
    ['TABLE_MISSING', 1],
  ];

  test.each([...transient, ...terminal])('%s: %d', async (code, exitCode) => {
    const isTransient = transient.some(([one]) => one === code);
    const error = isTransient
      ? new TransientError(code as TransientError['code'], 'It does not.')
      : new TerminalError(code as TerminalError['code'], 'It does not.');
    const told = await run(throwing(error), { isJson: true });
    expect(told).toMatchObject({ code: exitCode, err: 'It does not.\n' });
    expect(JSON.parse(told.out)).toEqual({
      command: 'thing list',
      ok: false,
      error: { code, message: 'It does not.' },
    });
  });

  test.each([
    [new UsageError('There is no such region.'), 2, 'USAGE'],
    [new NotFoundError('There is no such conflict.'), 3, 'NOT_FOUND'],
  ])('%s', async (error, exitCode, code) => {
    const told = await run(throwing(error), { isJson: true });
    expect(told).toMatchObject({ code: exitCode, err: `${error.message}\n` });
    expect(JSON.parse(told.out).error).toEqual({ code, message: error.message });
  });

  test('whatever failed, 130 where it was told to stop', async () => {
    const told = await run(throwing(new UsageError('Half of it.')), {
      isJson: true,
      signal: AbortSignal.abort(),
    });
    expect(told.code).toBe(130);
    expect(JSON.parse(told.out).error.code).toBe('INTERRUPTED');
  });

  test('and a fault of ours has none: it ends the process', async () => {
    await expect(run(throwing(new RangeError('a fault of ours')))).rejects.toThrow('of ours');
  });
});
