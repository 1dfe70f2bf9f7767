import { TerminalError, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createTableLease, createTableProof } from '@tandem/storage';
import { emptyTable, purgeQueue } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';
const OTHER = '5049a7a2-b0fe-45fc-9b2d-a8b0de1888f3';

/** West has an older state of one customer and has never heard of another. */
async function createApart(): Promise<CliHarness> {
  const harness = await createCliHarness();
  const { regions } = harness;
  await regions.east.table.put(ID, { email: 'one@example.com' });
  await regions.settle();
  await regions.east.table.patch(ID, { firstName: 'Ada' });
  await regions.east.table.put(OTHER, { email: 'two@example.com' });
  await purgeQueue(regions, 'west');
  await regions.settle();
  return harness;
}

describe('tandem verify', () => {
  test('says that equal regions are equal, what it cost, and keeps the proof', async () => {
    const { regions, run, runWith } = await createCliHarness();
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.settle();
    const { code, json } = await run('verify');
    expect(code).toBe(0);
    expect(json).toMatchObject({ command: 'verify', ok: true, equal: true, differences: [] });
    expect(json['requests']).toMatchObject({ east: expect.any(Number), west: expect.any(Number) });
    const proof = await createTableProof({ store: regions.west.store }).read();
    expect(proof).toEqual({ asOfMs: json['provenEqualAsOfMs'], regions: ['east', 'west'] });
    const { out, err } = await runWith({}, 'verify');
    expect(out).toContain('Equal as of 2026-01-01T');
    expect(out).toContain('requests: east');
    expect(err).toBe('');
  });

  test('drills down to ids and fields, and exits with 3', async () => {
    const { run, runWith } = await createApart();
    const { code, json } = await run('verify');
    expect(code).toBe(3);
    expect(json).toMatchObject({ equal: false, different: 2, provenEqualAsOfMs: null });
    const found = json['differences'] as { id: string; fields: { name: string }[] }[];
    expect(found.map(({ id }) => id).toSorted()).toEqual([ID, OTHER]);
    const { fields = [] } = found.find(({ id }) => id === ID) ?? {};
    expect(fields.map(({ name }) => name)).toEqual(['firstName']);
    expect((await runWith({}, 'verify')).out).toContain('firstName');
  });

  test('looks at one bucket where it is told to, and knows which there are', async () => {
    const { run } = await createApart();
    const { json } = await run('verify', '--bucket', '00');
    expect(json['buckets']).toHaveLength(1);
    const wrong = await run('verify', '--bucket', 'zz');
    expect(wrong).toMatchObject({ code: 2, json: { ok: false, error: { code: 'USAGE' } } });
  });

  test('goes on until it is told to stop, keeping the time as of which they were equal', async () => {
    const { regions, runWith } = await createCliHarness();
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.settle();
    const stop = new AbortController();
    let lines = 0;
    const err = (text: string): void => {
      lines += text.includes('proven equal as of 2026') ? 1 : 0;
      if (lines === 3) stop.abort();
    };
    const { code, json } = await runWith(
      { err, signal: stop.signal },
      '--json',
      'verify',
      '--every',
      '10s',
    );
    expect(lines).toBe(3);
    expect({ code, equal: json['equal'] }).toEqual({ code: 0, equal: true });
  });

  test('goes on after a region was out of reach for a while', async () => {
    const { regions, runWith } = await createCliHarness();
    const stop = new AbortController();
    const lines: string[] = [];
    const err = (text: string): void => {
      lines.push(text);
      const outage = new TransientError('TABLE_UNAVAILABLE', 'The tables of west are down.');
      regions.west.store.setOutage(lines.length === 1 ? outage : undefined);
      if (lines.length === 3) stop.abort();
    };
    const { signal } = stop;
    const { code } = await runWith({ err, signal }, '--json', 'verify', '--every', '10s');
    expect(code).toBe(0);
    expect(lines[1]).toContain('not compared now: The tables of west are down.');
    expect(lines[2]).toContain('different now: 0');
  });

  test('proves equality for whoever may only read', async () => {
    const { regions, run } = await createCliHarness();
    const forbidden = new TerminalError('TABLE_FORBIDDEN', 'This identity may not write.');
    regions.west.store.beforeCommit(() => {
      throw forbidden;
    });
    const { code, err } = await run('verify');
    expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining('may not write') });
  });

  test('stops rather than ask more than it may', async () => {
    const { run } = await createApart();
    const { code, err } = await run('--requests-max', '3', 'verify');
    expect(code).toBe(1);
    expect(err).toContain('--requests-max');
  });

  test('may ask as much in every round, however many there are', async () => {
    const { regions, run, runWith } = await createCliHarness();
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.settle();
    const asked = (await run('verify')).json['requests'] as Record<string, number>;
    const requestsMax = String(Math.max(...Object.values(asked)) + 5);
    const stop = new AbortController();
    let rounds = 0;
    const err = (): void => {
      rounds += 1;
      if (rounds === 4) stop.abort();
    };
    const args = ['--json', '--requests-max', requestsMax, 'verify', '--every', '10s'];
    const { code } = await runWith({ err, signal: stop.signal }, ...args);
    expect({ code, rounds }).toEqual({ code: 0, rounds: 4 });
  });

  test('says which region is out of reach, and exits with 4', async () => {
    const { regions, run } = await createApart();
    const outage = new TransientError('TABLE_UNAVAILABLE', 'The tables of west are down.');
    regions.west.store.setOutage(outage);
    expect(await run('verify')).toMatchObject({
      code: 4,
      json: { ok: false, error: { code: 'TABLE_UNAVAILABLE' } },
    });
  });
});

describe('tandem repair', () => {
  test('shows the plan and writes nothing', async () => {
    const { regions, run, runWith } = await createApart();
    const { code, json } = await run('repair');
    expect({ code, applied: json['applied'] }).toEqual({ code: 3, applied: false });
    expect(json['repairs']).toHaveLength(2);
    expect((await runWith({}, 'repair')).out).toContain('--apply');
    expect(await regions.west.table.get(OTHER)).toBeUndefined();
  });

  test('makes the regions equal when it is told to, and has nothing to do then', async () => {
    const { regions, run } = await createApart();
    const { code, json } = await run('repair', '--apply');
    expect(code).toBe(0);
    expect(json).toMatchObject({ applied: true, equal: true, written: { west: 2 }, repairs: [] });
    expect((await regions.west.table.get(ID))?.entity).toMatchObject({ firstName: 'Ada' });
    expect(await run('repair')).toMatchObject({ code: 0, json: { repairs: [] } });
    expect(await run('verify')).toMatchObject({ code: 0 });
  });

  test('lets no two operators repair at once', async () => {
    const { regions, run } = await createApart();
    const { store } = regions.west;
    const holder = 'another';
    const lease = createTableLease({ store, clock: regions.clock, name: 'recovery', holder });
    await lease.acquire(60_000);
    expect(await run('repair', '--apply')).toMatchObject({ code: 6 });
    expect(await regions.west.table.get(OTHER)).toBeUndefined();
    await lease.release();
    expect(await run('repair', '--apply')).toMatchObject({ code: 0 });
  });

  test('calls regions with a row that cannot be read not equal, and exits with 7', async () => {
    const { regions, run, runWith } = await createApart();
    const operations = [{ kind: 'upsert' as const, rowKey: 'foreign', properties: new Map() }];
    const table = customerKind.name;
    await regions.west.store.commit({ table, partitionKey: '00', operations });
    const damaged = [{ region: 'west', bucket: '00', rowKey: 'foreign' }];
    expect(await run('repair')).toMatchObject({ code: 7, json: { equal: false, damaged } });
    const { code, json } = await run('repair', '--apply');
    expect({ code, json }).toMatchObject({
      code: 7,
      json: { applied: true, equal: false, written: { west: 2 }, repairs: [], damaged },
    });
    const { out } = await runWith({}, 'repair');
    expect(out).toContain('Damaged in west: row 00/foreign');
    expect(out).not.toContain('regions are equal');
    const rebuilt = await runWith({}, 'rebuild-region', 'west', '--apply');
    expect(rebuilt.code).toBe(7);
    expect(rebuilt.out).toContain('Damaged in west: row 00/foreign');
  });

  test('stops when it is told to, and goes on with the same command', async () => {
    const { regions, run, runWith } = await createApart();
    const stop = new AbortController();
    regions.west.store.beforeCommit(({ table }) => {
      if (table === customerKind.name) stop.abort();
    });
    const cut = await runWith({ signal: stop.signal }, '--json', 'repair', '--apply');
    expect(cut).toMatchObject({ code: 130, json: { error: { code: 'INTERRUPTED' } } });
    regions.west.store.beforeCommit(() => undefined);
    expect(await run('repair', '--apply')).toMatchObject({ code: 0 });
  });

  test('does not take for lost what may have been deleted long ago, unless told to', async () => {
    const { regions, run, runWith } = await createApart();
    await emptyTable(regions.west.store, customerKind.name);
    await regions.clock.advance(91 * 24 * 3_600_000);
    const { code, json } = await run('repair', '--apply');
    expect({ code, doubtful: (json['doubtful'] as unknown[]).length }).toEqual({
      code: 3,
      doubtful: 2,
    });
    expect((await runWith({}, 'repair')).out).toContain('--include-old');
    expect(await run('repair', '--apply', '--include-old')).toMatchObject({ code: 0 });
    expect(await regions.west.table.get(OTHER)).toBeDefined();
  });
});
