import { decodeVector, formatStamp, type VersionVector, vectorWith } from '@tandem/core';
import { createVirtualClock, driveVirtualTime } from '@tandem/core/memory';
import { sealCursor } from '@tandem/storage';
import { describe, expect, it } from 'vitest';
import {
  createReceipts,
  createSharedRead,
  decodeReceipt,
  encodeReceipt,
  judgeReceipt,
  type ReceiptsOptions,
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
    const text = encodeReceipt(ID, { ...receipt, acknowledgedMs: 1_795_000_000_123.9 });
    expect(decodeReceipt(ID, text)).toEqual(receipt);
    expect(decodeReceipt('another', text)).toBeUndefined();
    const sealed = (said: string) => sealCursor(said, `r1:${ID}`);
    for (const said of [
      `:${east}`,
      `1-:${east}`,
      `zzzzzzzzzzzz:${east}`,
      `-1:${east}`,
      '1:',
      '1:x',
    ]) {
      expect(decodeReceipt(ID, sealed(said)), said).toBeUndefined();
    }
  });
});

const VERSION = decodeVector('01a203917985-0000-east-9t015hm1eb') as VersionVector;

function createQuestions(given: Partial<ReceiptsOptions> = {}) {
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
    driftMsMax: () => 60_000,
    gate: { reach: async () => ({ kind: 'reached' }) },
    readVersion: async () => VERSION,
    isCommitted: async () => false,
    whyForged: () => undefined,
    clock,
    skewMsMax: () => 0,
    ...given,
  });
  const ask = (caller: string, waitMs = 10_000, version = VERSION) =>
    receipts.whereApplied(ID, { version, acknowledgedMs: 0 }, { waitMs, caller });
  return { clock, counted, ask };
}

describe('a question that waits', () => {
  it('is answered with what is known when the process stops', async () => {
    const stopping = new AbortController();
    const { ask, clock } = createQuestions({ stopping: stopping.signal });
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

describe('a question at once', () => {
  const reach = (answer: Awaited<ReturnType<ReceiptsOptions['gate']['reach']>>) => ({
    gate: { reach: async () => answer },
  });
  const told = {
    kind: 'told',
    regions: [
      { region: 'east', state: 'applied' },
      { region: 'west', state: 'pending' },
    ],
  };
  const forged = { kind: 'forged', why: 'this region has made no such write.' };
  const overwritten = decodeVector('01a203917986-0000-east-9t015hm1eb') as VersionVector;

  it.each<readonly [string, Partial<ReceiptsOptions>, object]>([
    ['forged by its time', { whyForged: () => 'why' }, { kind: 'forged', why: 'why' }],
    [
      'impossible',
      reach({ kind: 'impossible', why: 'it cannot be.' }),
      { kind: 'forged', why: 'it cannot be.' },
    ],
    ['not here yet', reach({ kind: 'not-reached' }), { kind: 'not-reached' }],
    ['what the row shows', {}, told],
    ['what no row and no archive shows', { readVersion: async () => overwritten }, forged],
    ['what there is no row of', { readVersion: async () => undefined }, forged],
    [
      'what was written over since',
      { readVersion: async () => overwritten, isCommitted: async () => true },
      told,
    ],
    [
      'what a region without peers wrote',
      { peers: [], status: { read: () => Promise.reject(new Error('is not asked')) } },
      { kind: 'told', regions: [{ region: 'east', state: 'applied' }] },
    ],
  ])('of %s is answered by what this region knows', async (_, given, answer) => {
    const { clock, ask } = createQuestions(given);
    expect(await driveVirtualTime(clock, ask('ada', 0))).toEqual(answer);
  });

  it('of what another region wrote asks no archive of this one', async () => {
    const { clock, ask } = createQuestions({ readVersion: async () => undefined });
    const west = decodeVector('01a203917985-0000-west-9t015hm1eb') as VersionVector;
    expect(await driveVirtualTime(clock, ask('ada', 0, west))).toMatchObject({
      regions: [{ region: 'east' }, { region: 'west', state: 'applied' }],
    });
  });

  it('waits no longer than until the last region has it', async () => {
    const clock = createVirtualClock(50_000);
    const { ask } = createQuestions({
      clock,
      status: {
        read: async () => ({
          heartbeatMs: clock.nowMs(),
          catchingUpSinceMs: undefined,
          hasBacklog: false,
          peers: [
            {
              peer: 'west',
              passedMs: undefined,
              isReachable: true,
              appliedMs: clock.nowMs() < 51_000 ? 0 : 1,
            },
          ],
        }),
      },
    });
    expect(await driveVirtualTime(clock, ask('ada'))).toMatchObject({
      regions: [{}, { region: 'west', state: 'applied' }],
    });
    expect(clock.nowMs()).toBe(51_000);
  });
});

describe('a read that is shared', () => {
  it('is one for all who ask meanwhile, and is told again only while it is young enough', async () => {
    const clock = createVirtualClock(0);
    let reads = 0;
    const read = createSharedRead(async () => {
      await clock.sleep(100);
      return (reads += 1);
    }, clock);
    const together = Promise.all([read(0), read(0), read(1_000)]);
    expect(await driveVirtualTime(clock, together)).toEqual([1, 1, 1]);
    expect(await read(101)).toBe(1);
    expect(await driveVirtualTime(clock, read(100))).toBe(2);
  });

  it('is made anew after it failed, and whoever waited for it is told', async () => {
    const clock = createVirtualClock(0);
    const down = new Error('The table does not answer.');
    let isDown = true;
    const read = createSharedRead(async () => {
      if (isDown) throw down;
      return 'here';
    }, clock);
    const waiting = await Promise.allSettled([read(1_000), read(1_000)]);
    expect(waiting.map((one) => one.status)).toEqual(['rejected', 'rejected']);
    isDown = false;
    expect(await read(1_000)).toBe('here');
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
