import { decodeVector, type VersionVector } from '@tandem/core';
import { createVirtualClock } from '@tandem/core/memory';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTwoRegionApps, type TwoRegionApps } from '../testing/two-region-apps.ts';
import { judgeReceipt } from './judge-receipt.ts';
import { createReceipts } from './receipts.ts';
import { decodeReceipt, encodeReceipt } from './receipt-token.ts';

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

describe('a question that waits', () => {
  it('is answered with what is known when the process stops', async () => {
    const stopping = new AbortController();
    const receipts = createReceipts({
      region: 'east',
      peers: ['west'],
      status: { read: async () => undefined },
      clock: createVirtualClock(0),
      skewMsMax: () => 0,
      stopping: stopping.signal,
    });
    const version = decodeVector('01a203917985-0000-east-9t015hm1eb') as VersionVector;
    const waiting = receipts.whereApplied({ version, acknowledgedMs: 0 }, 10_000);
    stopping.abort();
    expect(await waiting).toContainEqual({ region: 'west', state: 'pending' });
  });
});
