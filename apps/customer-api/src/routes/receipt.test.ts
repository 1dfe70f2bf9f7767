import { formatStamp, parseStamp, type VersionVector, vectorWith } from '@tandem/core';
import { decodeReceipt, encodeReceipt } from '@tandem/region';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTwoRegionApps, type TwoRegionApps } from '../testing/two-region-apps.ts';

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

describe('A15: a receipt that nobody has given', () => {
  const at = (timeMs: number): VersionVector =>
    vectorWith(new Map(), formatStamp({ timeMs, counter: 0, region: 'east', writer: 'a' }));

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
