import { decodeVector, formatStamp, type VersionVector, vectorWith } from '@tandem/core';
import { createVirtualClock, driveVirtualTime } from '@tandem/core/memory';
import { describe, expect, it } from 'vitest';
import {
  createReceipts,
  decodeReceipt,
  encodeReceipt,
  judgeReceipt,
  whyForged,
} from './receipts.ts';

const ID = '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';

describe('what a region knows of a write', () => {
  const east = '0199a1b2c3d4-0000-east-a';
  const west = '0199a1b2c3d5-0000-west-b';
  const at = (text: string): VersionVector => decodeVector(text) ?? new Map();
  const facts = { region: 'east', peers: ['west', 'north'], skewMsMax: 10 };
  const statesOf = (version: VersionVector, appliedMs: number): string[] =>
    judgeReceipt(
      { version, acknowledgedMs: 1_000 },
      { ...facts, progress: [{ peer: 'west', passedMs: undefined, isReachable: true, appliedMs }] },
    ).map(({ state }) => state);

  it.each([
    [1_000, 'pending'],
    [1_010, 'pending'],
    [1_011, 'applied'],
  ])('of what it wrote itself follows from what was applied until %i', (appliedMs, state) => {
    expect(statesOf(at(east), appliedMs)).toEqual(['applied', state, 'pending']);
  });

  it('of what a peer wrote is that the peer has it, and of others nothing', () => {
    expect(statesOf(at(`${east}.${west}`), 5_000)).toEqual(['applied', 'applied', 'unknown']);
  });

  it('is asked for with a text that holds version and time', () => {
    const receipt = { version: at(`${east}.${west}`), acknowledgedMs: 1_795_000_000_123 };
    expect(decodeReceipt(ID, encodeReceipt(ID, receipt))).toEqual(receipt);
  });
});

const VERSION = decodeVector('01a203917985-0000-east-9t015hm1eb') as VersionVector;

function createQuestions(stopping?: AbortSignal) {
  const clock = createVirtualClock(0);
  const counted = { looks: 0 };
  const receipts = createReceipts({
    region: 'east',
    peers: ['west'],
    status: {
      read: async () => {
        counted.looks += 1;
        await clock.sleep(5);
        return undefined;
      },
    },
    gate: { reach: async () => ({ kind: 'reached' }) },
    readVersion: async () => VERSION,
    isCommitted: async () => false,
    whyForged: () => undefined,
    clock,
    skewMsMax: () => 0,
    stopping,
  });
  const receipt = { version: VERSION, acknowledgedMs: 0 };
  const ask = (caller: string, waitMs = 10_000) =>
    receipts.whereApplied(ID, receipt, { waitMs, caller });
  return { clock, counted, ask };
}

describe('a question that waits', () => {
  it('is answered with what is known when the process stops', async () => {
    const stopping = new AbortController();
    const { ask, clock } = createQuestions(stopping.signal);
    const waiting = ask('ada');
    await clock.advance(100);
    stopping.abort();
    expect(await driveVirtualTime(clock, waiting)).toMatchObject({
      regions: expect.arrayContaining([{ region: 'west', state: 'pending' }]),
    });
  });

  it('A15: takes a place, of which one caller has some, and shares its looks with all others', async () => {
    const { clock, counted, ask } = createQuestions();
    const waiting = Array.from({ length: 1_500 }, (_, index) =>
      ask(`caller ${index % 3}`).catch((error: unknown) => error),
    );
    waiting.push(ask('caller 0', 0));
    const answers = await driveVirtualTime(clock, Promise.all(waiting));
    expect(answers.filter((one) => !(one instanceof Error))).toHaveLength(151);
    expect(answers.find((one) => one instanceof Error)).toMatchObject({ code: 'OVERLOADED' });
    expect(counted.looks).toBeLessThanOrEqual(10_000 / 250 + 2);
  });
});

describe('A15: a receipt that nobody has given', () => {
  const nowMs = Date.UTC(2026, 10, 1);
  const bounds = { nowMs, driftMsMax: 60_000 };
  const at = (timeMs: number): VersionVector =>
    vectorWith(new Map(), formatStamp({ timeMs, counter: 0, region: 'east', writer: 'a' }));

  it.each([
    [nowMs, Date.UTC(3000, 0, 1), /of a time to come/],
    [nowMs, Number.MAX_SAFE_INTEGER, /of a time to come/],
    [nowMs, nowMs - 60_001, /before it was made/],
    [nowMs, 0, /before it was made/],
    [nowMs, nowMs + 60_000, /^none$/],
    [nowMs, nowMs - 60_000, /^none$/],
    // As a region answers that writes over what a broken clock has stamped.
    [Date.UTC(2030, 0, 1), nowMs, /^none$/],
  ])('is told by its time: stamped %i, acknowledged %i', (stampedMs, acknowledgedMs, reason) => {
    const why = whyForged({ version: at(stampedMs), acknowledgedMs }, bounds);
    expect(why ?? 'none').toMatch(reason);
  });
});
