import { describe, expect, test } from 'vitest';
import { createVirtualClock, type VirtualClock } from '../memory/virtual-clock.ts';
import type { Archive, ArchiveEntry } from '../ports/archive.ts';
import { formatStamp, stampTimeMs } from '../time/stamp.ts';
import { type ArchiveRounds, archiveInRounds } from './archive-in-rounds.ts';

const PAUSE_MS = 500;

function entry(n: number, bytes = 1): ArchiveEntry {
  const stamp = formatStamp({ timeMs: n, counter: 0, region: 'east', writer: 'w' });
  const set = { entityKind: 'Devices', bucket: '00', stamp, changes: [] };
  return { set, encoded: new Uint8Array(bytes) };
}

interface Rig {
  readonly clock: VirtualClock;
  readonly rounds: ArchiveRounds;
  /** The entries that each call of the archive was given. */
  readonly appended: number[][];
  readonly archived: number[];
  append(n: number, bytes?: number): void;
  failNext(error: Error): void;
}

function createRig(): Rig {
  const clock = createVirtualClock(0);
  const appended: number[][] = [];
  const archived: number[] = [];
  const failures: Error[] = [];
  const archive: Archive = {
    has: async ({ bucket }) => bucket === '00',
    read: ({ bucket }) =>
      (async function* () {
        yield { ...entry(1).set, bucket };
      })(),
    async append(entries) {
      appended.push(entries.map(({ set }) => stampTimeMs(set.stamp)));
      await clock.sleep(10);
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
    },
  };
  const rounds = archiveInRounds({ archive, clock, pauseMs: PAUSE_MS });
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
    expect(appended).toEqual([[1], [2, 3, 4]]);
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

  test.each([
    ['number', 1_000, 1],
    ['bytes', 4, 1_024 * 1_024],
  ])(
    'does not wait for the pause when as much as a round takes has gathered, in %s',
    async (_, count, bytes) => {
      const { clock, archived, append } = createRig();
      append(0);
      await clock.advance(20);
      for (let n = 1; n < count; n += 1) append(n, bytes);
      await clock.advance(20);
      expect(archived).toEqual([0]);
      append(count, bytes);
      await clock.advance(20);
      expect(archived).toHaveLength(count + 1);
      // It has forgotten how much that was.
      append(count + 1);
      await clock.advance(20);
      expect(archived).toHaveLength(count + 1);
    },
  );

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

  test('reads what the archive has', async () => {
    const { rounds } = createRig();
    const { stamp } = entry(1).set;
    expect(await rounds.has({ entityKind: 'Devices', bucket: '00', stamp })).toBe(true);
    expect(await rounds.has({ entityKind: 'Devices', bucket: '01', stamp })).toBe(false);
    const read: string[] = [];
    for await (const { bucket } of rounds.read({ entityKind: 'Devices', bucket: '07' })) {
      read.push(bucket);
    }
    expect(read).toEqual(['07']);
  });

  test('has nothing to do for nothing', async () => {
    const { rounds, appended } = createRig();
    await rounds.append([]);
    expect(appended).toEqual([]);
  });
});
