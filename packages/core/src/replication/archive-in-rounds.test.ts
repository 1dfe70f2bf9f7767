import { describe, expect, test } from 'vitest';
import { createVirtualClock, type VirtualClock } from '../memory/virtual-clock.ts';
import type { Archive, ArchiveEntry } from '../ports/archive.ts';
import { formatStamp } from '../time/stamp.ts';
import { archiveInRounds, type ArchiveRounds } from './archive-in-rounds.ts';

const PAUSE_MS = 500;

function entry(n: number, bytes = 1): ArchiveEntry {
  const stamp = formatStamp({ timeMs: n, counter: 0, region: 'east', writer: 'w' });
  const set = { entityKind: 'Devices', bucket: '00', stamp, changes: [] };
  return { set, encoded: new Uint8Array(bytes) };
}

interface Rig {
  readonly clock: VirtualClock;
  readonly rounds: ArchiveRounds;
  /** How many entries each call of the archive was given. */
  readonly appended: number[];
  readonly archived: number[];
  append(n: number, bytes?: number): void;
  failNext(error: Error): void;
}

function createRig(): Rig {
  const clock = createVirtualClock(0);
  const appended: number[] = [];
  const archived: number[] = [];
  const failures: Error[] = [];
  const archive: Pick<Archive, 'append'> = {
    async append(entries) {
      appended.push(entries.length);
      await clock.sleep(10);
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
    },
  };
  const rounds = archiveInRounds({ archive: archive as Archive, clock, pauseMs: PAUSE_MS });
  return {
    clock,
    rounds,
    appended,
    archived,
    append: (n, bytes) =>
      void rounds.append([entry(n, bytes)]).then(
        () => archived.push(n),
        () => archived.push(-n),
      ),
    failNext: (error) => failures.push(error),
  };
}

describe('an archive that works in rounds', () => {
  test('archives the first at once, and what gathers in the pause together', async () => {
    const { clock, appended, archived, append } = createRig();
    append(1);
    await clock.advance(20);
    expect(archived).toEqual([1]);
    for (const n of [2, 3, 4]) append(n);
    await clock.advance(PAUSE_MS / 2);
    expect(archived).toEqual([1]);
    await clock.advance(PAUSE_MS);
    expect(archived).toEqual([1, 2, 3, 4]);
    expect(appended).toEqual([1, 3]);
  });

  test('tells nobody that it is archived before it is', async () => {
    const { clock, archived, append } = createRig();
    append(1);
    await clock.advance(9);
    expect(archived).toEqual([]);
    await clock.advance(1);
    expect(archived).toEqual([1]);
  });

  test('tells those whose round has failed, and goes on with the next', async () => {
    const { clock, archived, append, failNext } = createRig();
    failNext(new Error('no table'));
    append(1);
    await clock.advance(20);
    append(2);
    await clock.advance(2 * PAUSE_MS);
    expect(archived).toEqual([-1, 2]);
  });

  test('does not wait for the pause when much has gathered, in number or in bytes', async () => {
    for (const bytes of [1, 5_000]) {
      const { clock, archived, append } = createRig();
      append(0);
      await clock.advance(20);
      for (let n = 1; n <= 1_000; n += 1) append(n, bytes);
      await clock.advance(20);
      expect(archived).toHaveLength(1_001);
    }
  });

  test('hurries when it is told to, and rests again afterwards', async () => {
    const { clock, rounds, archived, append } = createRig();
    append(1);
    await clock.advance(20);
    append(2);
    rounds.hurry();
    await clock.advance(20);
    expect(archived).toEqual([1, 2]);
    append(3);
    await clock.advance(20);
    append(4);
    await clock.advance(PAUSE_MS / 2);
    expect(archived).toEqual([1, 2, 3]);
    await clock.advance(PAUSE_MS);
    expect(archived).toEqual([1, 2, 3, 4]);
  });

  test('has nothing to do for nothing', async () => {
    const { rounds, appended } = createRig();
    await rounds.append([]);
    expect(appended).toEqual([]);
  });
});
