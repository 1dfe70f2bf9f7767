import { type TableStore, TerminalError, TransientError } from '@tandem/core';
import { createMemoryTableStore, createVirtualClock } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createPatience } from './patience.ts';

const SILENCE_MS = 10_000;
const SILENT = 'The table store of west gave no answer for 10 s';
const CALLS = {
  createTable: (store: TableStore) => store.createTable('Things'),
  get: (store: TableStore) => store.get('Things', 'p', 'r'),
  query: (store: TableStore) => store.query({ table: 'Things', partitions: 'p', limit: 1 }),
  commit: (store: TableStore) =>
    store.commit({
      table: 'Things',
      partitionKey: 'p',
      operations: [{ kind: 'delete', rowKey: 'r' }],
    }),
};
const NAMES = Object.keys(CALLS) as (keyof typeof CALLS)[];

function never(): Promise<never> {
  return new Promise(() => undefined);
}

function setUp() {
  const clock = createVirtualClock(0);
  const patience = createPatience({
    what: 'The table store of west',
    code: 'TABLE_UNAVAILABLE',
    clock,
    silenceMsMax: SILENCE_MS,
  });
  /** How what is asked ended, once it has. */
  const watch = (asked: Promise<unknown>) => {
    const seen: { outcome: unknown } = { outcome: 'waits' };
    asked.then(
      () => (seen.outcome = 'answered'),
      (error: unknown) => (seen.outcome = String(error)),
    );
    return seen;
  };
  return { clock, patience, watch };
}

describe('the patience with a region', () => {
  test('ends what is asked after so long, and all that is asked from then on at once', async () => {
    const { clock, patience, watch } = setUp();
    const first = watch(patience.bound(never));
    await clock.advance(SILENCE_MS - 1);
    expect(first.outcome).toBe('waits');
    await clock.advance(1);
    expect(first.outcome).toContain(SILENT);
    let isAsked = false;
    const next = patience.bound(async () => {
      isAsked = true;
    });
    await expect(next).rejects.toMatchObject({ code: 'TABLE_UNAVAILABLE', retryable: true });
    expect(isAsked).toBe(false);
    patience.beginRound();
    expect(await patience.bound(async () => 'heard')).toBe('heard');
  });

  test('begins with each question, and leaves no sleeper behind', async () => {
    const { clock, patience, watch } = setUp();
    expect(await patience.bound(async () => 1)).toBe(1);
    await clock.advance(60_000);
    expect(await patience.bound(async () => 2)).toBe(2);
    const late = watch(patience.bound(never));
    await clock.advance(SILENCE_MS - 1);
    expect(late.outcome).toBe('waits');
  });

  test.each([
    ['an answer', async () => 1, true],
    [
      'a refusal',
      async () => {
        throw new TerminalError('TABLE_MISSING', 'There is none.');
      },
      true,
    ],
    [
      'word that nothing came',
      async () => {
        throw new TransientError('TABLE_UNAVAILABLE', 'Nothing came.');
      },
      false,
    ],
    [
      'a fault of ours',
      async () => {
        throw new RangeError('a fault');
      },
      false,
    ],
  ])('is renewed, or is not, by %s to another question', async (_, ask, goesOn) => {
    const { clock, patience, watch } = setUp();
    const first = watch(patience.bound(never));
    await clock.advance(SILENCE_MS - 1_000);
    await patience.bound<unknown>(ask).catch(() => undefined);
    await clock.advance(1_000);
    expect(first.outcome === 'waits').toBe(goesOn);
    await clock.advance(SILENCE_MS - 1_001);
    expect(first.outcome === 'waits').toBe(goesOn);
    await clock.advance(1);
    expect(first.outcome).toContain(SILENT);
  });

  test.each(NAMES)('bounds %s of a store, and hears what it answers', async (name) => {
    const { clock, patience, watch } = setUp();
    const memory = createMemoryTableStore();
    await memory.createTable('Things');
    const hanging = {
      createTable: never,
      get: never,
      query: never,
      commit: never,
      timeMs: never,
    };
    const asked = watch(CALLS[name](patience.hurry(hanging)));
    await clock.advance(SILENCE_MS - 1);
    const told = watch(CALLS[name](patience.listen(memory)));
    await clock.advance(1);
    expect(told.outcome).toBe('answered');
    expect(asked.outcome).toBe('waits');
    await clock.advance(SILENCE_MS);
    expect(asked.outcome).toContain(SILENT);
    patience.beginRound();
    const again = watch(CALLS[name](patience.hurry(memory)));
    await clock.advance(0);
    expect(again.outcome).toBe('answered');
  });
});
