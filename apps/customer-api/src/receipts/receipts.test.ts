import {
  decodeVector,
  formatStamp,
  parseStamp,
  type VersionVector,
  vectorWith,
} from '@tandem/core';
import { createVirtualClock, driveVirtualTime } from '@tandem/core/memory';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTwoRegionApps, type TwoRegionApps } from '../testing/two-region-apps.ts';
import {
  createReceipts,
  decodeReceipt,
  encodeReceipt,
  judgeReceipt,
  whyForged,
} from './receipts.ts';

const ID = '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
const OTHER = '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e89';
const ADA = { email: 'ada@example.com' };

let apps: TwoRegionApps;

beforeAll(async () => {
  apps = await createTwoRegionApps();
});

afterAll(async () => {
  await apps.close();
});

/** Each region sends what it owes and what it has applied, and takes what is in its queue. */
async function turns(count: number): Promise<void> {
  const { regions } = apps;
  for (let turn = 0; turn < count; turn += 1) {
    for (const { replicator } of [regions.east, regions.west]) {
      await regions.clock.advance(10_000);
      await regions.drive(replicator.sweepOnce());
      await regions.drive(replicator.receiveOnce(new AbortController().signal));
      await regions.drive(replicator.beatOnce());
    }
  }
}

async function writeInEast(customerId: string): Promise<string> {
  const url = `/customers/${customerId}`;
  const written = await apps.east.inject({ method: 'PUT', url, payload: ADA });
  return String(written.headers['x-tandem-receipt']);
}

const ask = (region: 'east' | 'west', customerId: string, receipt: string) =>
  apps[region].inject({ url: `/customers/${customerId}/receipt`, query: { receipt } });

describe('GET /customers/:customerId/receipt', () => {
  it('I11: tells of a peer that it has applied the write no sooner than it has', async () => {
    const receipt = await writeInEast(ID);
    expect((await ask('east', ID, receipt)).json()).toMatchObject({
      customerId: ID,
      appliedEverywhere: false,
      regions: [
        { region: 'east', state: 'applied' },
        { region: 'west', state: 'pending' },
      ],
    });
    const early = await ask('west', ID, receipt);
    expect(early.statusCode).toBe(503);
    expect(early.json().type).toBe('/problems/version-not-reached');
    expect(early.headers['retry-after']).toBe('1');
    await turns(4);
    expect((await apps.west.inject({ url: `/customers/${ID}` })).statusCode).toBe(200);
    expect((await ask('east', ID, receipt)).json().appliedEverywhere).toBe(true);
    expect((await ask('west', ID.toUpperCase(), receipt)).json()).toMatchObject({
      appliedEverywhere: true,
    });
  });

  it('holds for a delete, whose tombstone it is', async () => {
    const url = `/customers/${OTHER}`;
    await apps.east.inject({ method: 'PUT', url, payload: ADA });
    const deleted = await apps.east.inject({ method: 'DELETE', url });
    const receipt = String(deleted.headers['x-tandem-receipt']);
    await turns(4);
    expect((await ask('east', OTHER, receipt)).json().appliedEverywhere).toBe(true);
  });

  it('refuses what is no receipt of this customer', async () => {
    const receipt = await writeInEast(ID);
    const forged = [receipt.slice(1), receipt.slice(0, -1), `${receipt}A`, 'x', '%00'];
    for (const text of forged) expect((await ask('east', ID, text)).statusCode).toBe(400);
    const other = await ask('east', OTHER, receipt);
    expect(other.json().type).toBe('/problems/receipt-invalid');
    expect((await apps.east.inject({ url: `/customers/${ID}/receipt` })).statusCode).toBe(400);
  });
});

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
    expect(answers.find((one) => one instanceof Error)).toMatchObject({ code: 'overloaded' });
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

  it('is refused at once, whatever it is to wait for', async () => {
    const receipt = await writeInEast(ID);
    const honest = decodeReceipt(ID, receipt);
    if (honest === undefined) throw new Error('the receipt was given a moment ago');
    const [own] = honest.version.values();
    const earlier = { ...parseStamp(own!), counter: 7, writer: 'nobody' };
    const invented = vectorWith(new Map(), formatStamp({ ...earlier, timeMs: earlier.timeMs - 5 }));
    const elsewhere = vectorWith(honest.version, formatStamp({ ...earlier, region: 'mars' }));
    const forged = [
      { ...honest, acknowledgedMs: Date.UTC(3000, 0, 1) },
      { ...honest, acknowledgedMs: 1 },
      { ...honest, version: invented },
      { ...honest, version: elsewhere },
      { ...honest, version: at(Date.UTC(3000, 0, 1)) },
    ];
    for (const one of forged) {
      const response = await apps.east.inject({
        url: `/customers/${ID}/receipt`,
        query: { receipt: encodeReceipt(ID, one) },
        headers: { prefer: 'wait=10' },
      });
      expect(response.statusCode).toBe(400);
      expect(response.json().type).toBe('/problems/receipt-invalid');
    }
    expect((await ask('east', ID, receipt)).statusCode).toBe(200);
  });

  it('is not one of a write that others have written over since', async () => {
    const early = await writeInEast(OTHER);
    const patch = { method: 'PATCH', url: `/customers/${OTHER}` } as const;
    for (const lastName of ['a', 'b']) await apps.east.inject({ ...patch, payload: { lastName } });
    expect((await ask('east', OTHER, early)).statusCode).toBe(200);
    await turns(4);
    expect((await ask('east', OTHER, early)).json().appliedEverywhere).toBe(true);
  });
});
