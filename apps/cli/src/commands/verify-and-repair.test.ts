import { bucketOf, TerminalError, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { CONFLICTS_TABLE, createTableLease, createTableProof } from '@tandem/storage';
import { emptyTable, MEMORY_BUCKET_COUNT, purgeQueue } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';
import { linesOf } from '../testing/lines-of.ts';

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
    expect(out).toContain('Read 2 rows and 0 conflicts in 0.0 s; requests: east');
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

  test('says of each bucket how many rows and bytes each region has, and their digests', async () => {
    const { regions, run } = await createCliHarness();
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.settle();
    const { json } = await run('verify');
    const buckets = json['buckets'] as {
      rows: Record<string, number>;
      bytes: Record<string, number>;
      digests: Record<string, string>;
    }[];
    expect(buckets).toHaveLength(MEMORY_BUCKET_COUNT);
    const held = buckets.filter(({ rows }) => rows['east'] === 1);
    expect(held).toHaveLength(1);
    expect(held[0]?.rows).toEqual({ east: 1, west: 1 });
    const email = 'email'.length * 2 + 8 + 'one@example.com'.length * 2 + 4;
    const bytes = 4 + ID.length * 2 + email;
    expect(held[0]?.bytes).toEqual({ east: bytes, west: bytes });
    expect(held[0]?.digests['east']).toMatch(/^[0-9a-f]{16}$/);
    expect(held[0]?.digests['west']).toBe(held[0]?.digests['east']);
    expect(json).toMatchObject({ different: 0, settled: 0, damaged: [] });
    expect(json['asOfMs']).toBe(json['provenEqualAsOfMs']);
  });

  test('keeps no proof of one bucket alone, nor of regions that differ', async () => {
    const { regions, run } = await createCliHarness();
    const proof = createTableProof({ store: regions.east.store });
    expect(await run('verify', '--bucket', '00')).toMatchObject({ code: 0, json: { equal: true } });
    expect(await proof.read()).toBeUndefined();
    await regions.east.table.put(ID, { email: 'one@example.com' });
    expect(await run('verify', '--rechecks', '0')).toMatchObject({ code: 3 });
    expect(await proof.read()).toBeUndefined();
    await regions.settle();
    expect(await run('verify')).toMatchObject({ code: 0 });
    expect(await proof.read()).toMatchObject({ regions: ['east', 'west'] });
  });

  test('looks as often again, and as long after, as it is told to', async () => {
    const { regions, run } = await createApart();
    const took = async (...args: readonly string[]): Promise<number> => {
      const startMs = regions.clock.nowMs();
      await run('verify', ...args);
      return regions.clock.nowMs() - startMs;
    };
    expect(await took('--rechecks', '0')).toBe(0);
    expect(await took('--rechecks', '2', '--recheck-every', '3s')).toBe(6_000);
  });

  test('tells of the last proof while they differ, and ends with what was so in the end', async () => {
    const { regions, runWith } = await createCliHarness();
    const stop = new AbortController();
    const lines: string[] = [];
    const err = (text: string): void => {
      lines.push(text);
      if (lines.length === 1) void regions.east.table.put(ID, { email: 'one@example.com' });
      if (lines.length === 2) stop.abort();
    };
    const args = ['--json', 'verify', '--rechecks', '0', '--every', '10s'];
    const { code, json } = await runWith({ err, signal: stop.signal }, ...args);
    expect(lines[0]).toMatch(/^proven equal as of 2026-[^;]*; different now: 0\n$/);
    expect(lines[1]).toBe(lines[0]?.replace(': 0', ': 1'));
    expect({ code, equal: json['equal'] }).toEqual({ code: 3, equal: false });
    const { asOfMs, provenEqualAsOfMs } = json as Record<string, number>;
    expect(asOfMs).toBeGreaterThan(provenEqualAsOfMs ?? 0);
    expect(lines[0]).toContain(new Date(provenEqualAsOfMs ?? 0).toISOString());
  });

  test('ends with the last whole round where it is told to stop in the middle of one', async () => {
    const { regions, runWith } = await createCliHarness();
    const { query } = regions.west.store;
    const stop = new AbortController();
    const lines: string[] = [];
    const err = (text: string): void => {
      lines.push(text);
      regions.west.store.query = async (range) => {
        stop.abort();
        stop.signal.throwIfAborted();
        return query(range);
      };
    };
    const args = ['--json', 'verify', '--every', '10s'];
    const { code, json } = await runWith({ err, signal: stop.signal }, ...args);
    expect(lines).toEqual([expect.stringContaining('different now: 0')]);
    expect({ code, equal: json['equal'] }).toEqual({ code: 0, equal: true });
  });

  test('says never where they have not been equal yet', async () => {
    const { runWith } = await createApart();
    const stop = new AbortController();
    const lines: string[] = [];
    const err = (text: string): void => {
      lines.push(text);
      stop.abort();
    };
    await runWith({ err, signal: stop.signal }, '--json', 'verify', '--every', '10s');
    expect(lines[0]).toBe('proven equal as of never; different now: 2\n');
  });

  test('ends when a region is out of reach from the beginning, or takes no reader any more', async () => {
    const { regions, run, runWith } = await createCliHarness();
    const down = new TransientError('TABLE_UNAVAILABLE', 'The tables of west are down.');
    regions.west.store.setOutage(down);
    expect(await run('verify', '--every', '10s')).toMatchObject({ code: 4 });
    regions.west.store.setOutage(undefined);
    const forbidden = new TerminalError('TABLE_FORBIDDEN', 'No rights in west.');
    const err = (): void => regions.west.store.setOutage(forbidden);
    expect(await runWith({ err }, '--json', 'verify', '--every', '10s')).toMatchObject({ code: 5 });
  });

  test('shows on a terminal how many rows it has read, and stops when it is told to', async () => {
    const { regions, runWith } = await createApart();
    const { query } = regions.west.store;
    regions.west.store.query = async (range) => {
      // Progress is shown five times a second.
      await regions.clock.sleep(300);
      return query(range);
    };
    let shown = '';
    const err = (text: string): void => void (shown += text);
    await runWith({ isTerminal: true, err }, 'verify', '--rechecks', '0');
    expect(shown).toContain('rows read 2 ');
    expect(shown.endsWith('\r\u001B[K')).toBe(true);
    const stop = new AbortController();
    regions.west.store.query = (range) => {
      if (range.table === customerKind.name) stop.abort();
      return query(range);
    };
    expect(await runWith({ signal: stop.signal }, 'verify')).toMatchObject({ code: 130 });
  });

  test('ends when the rows of a region are out of reach in the first round', async () => {
    const { regions, run } = await createApart();
    const { query } = regions.west.store;
    regions.west.store.query = async (range) => {
      if (range.table !== customerKind.name) return query(range);
      throw new TransientError('TABLE_UNAVAILABLE', 'The tables of west are down.');
    };
    expect(await run('verify', '--every', '10s')).toMatchObject({ code: 4 });
  });

  test('lets an error pass that no service gives: it is a bug of ours', async () => {
    const { regions, run } = await createCliHarness();
    regions.west.store.beforeCommit(() => {
      throw new Error('a bug');
    });
    await expect(run('verify')).rejects.toThrow('a bug');
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
  test('tells a person what would be written where, and of which fields', async () => {
    const { runWith } = await createApart();
    const lines = linesOf((await runWith({}, 'repair')).out);
    const of = (id: string) => lines.find((line) => line.startsWith(id))?.split(' | ');
    expect(of(ID)?.slice(2)).toEqual(['west', 'firstName']);
    expect(of(OTHER)?.slice(2, 3)).toEqual(['west']);
    expect(lines).toContain('id | bucket | is written in | fields');
    expect(lines).toContain('2 to repair. Run it again with --apply to do it.');
  });

  test('tells a person what it has written, and that nothing is left', async () => {
    const { runWith } = await createApart();
    let shown = '';
    const err = (text: string): void => void (shown += text);
    const { out } = await runWith({ isTerminal: true, err }, 'repair', '--apply');
    expect(shown).toContain('repaired 2/2');
    expect(out).toBe('Rows written: 2 in west.\nThe regions are equal.\n');
    expect((await runWith({}, 'repair', '--apply')).out).toBe(
      'Rows written: none.\nThe regions are equal.\n',
    );
    expect((await runWith({}, 'repair')).out).toBe('Nothing to repair: the regions are equal.\n');
  });

  test('names in JSON into which regions each row goes', async () => {
    const { run } = await createApart();
    const { json } = await run('repair');
    expect(json).toMatchObject({ applied: false, equal: false, different: 2, doubtful: [] });
    const repairs = json['repairs'] as { id: string; into: string[] }[];
    expect(Object.fromEntries(repairs.map(({ id, into }) => [id, into]))).toEqual({
      [ID]: ['west'],
      [OTHER]: ['west'],
    });
  });

  test('repairs one bucket alone where it is told to', async () => {
    const { regions, run } = await createApart();
    const other = bucketOf(ID, MEMORY_BUCKET_COUNT);
    expect(bucketOf(OTHER, MEMORY_BUCKET_COUNT)).toBe(other);
    const repair = (bucket: string) => run('repair', '--bucket', bucket, '--apply');
    expect(await repair('01')).toMatchObject({ code: 0, json: { written: {} } });
    expect(await regions.west.table.get(OTHER)).toBeUndefined();
    expect(await repair(other)).toMatchObject({ code: 0, json: { written: { west: 2 } } });
    expect(await regions.west.table.get(OTHER)).toBeDefined();
  });

  test('shows twenty rows to a person, and counts the others', async () => {
    const harness = await createCliHarness();
    for (let n = 0; n < 21; n += 1) {
      await harness.regions.east.table.put(`${ID.slice(0, -2)}${String(n).padStart(2, '0')}`, {
        email: `${n}@example.com`,
      });
    }
    await purgeQueue(harness.regions, 'west');
    const { out } = await harness.runWith({}, 'repair', '--rechecks', '0');
    const shown = linesOf(out).filter((line) => line.startsWith(ID.slice(0, -2)));
    expect(shown).toHaveLength(20);
    expect(out).toContain('21 to repair.');
    expect((await harness.run('repair', '--rechecks', '0')).json['repairs']).toHaveLength(21);
  });

  test('names what may have been deleted long ago', async () => {
    const { regions, runWith } = await createApart();
    await emptyTable(regions.west.store, customerKind.name);
    await regions.clock.advance(91 * 24 * 3_600_000);
    const { out } = await runWith({}, 'repair');
    expect(out).toContain(`${OTHER} is missing in a region and older than every tombstone`);
    // One line of each, and nothing else.
    expect(out.trimEnd().split('\n')).toHaveLength(2);
  });

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

  test('I18: finds a conflict that a journal has lost, and gives it back', async () => {
    const { regions, run, runWith } = await createCliHarness('north');
    await regions.east.table.put(ID, { email: 'one@example.com' });
    await regions.settle();
    await regions.east.table.patch(ID, { firstName: 'Ada' });
    await regions.west.table.patch(ID, { firstName: 'Eve' });
    await regions.settle();
    const [conflict] = await regions.west.journal.list(customerKind.name, 10);
    await emptyTable(regions.west.store, CONFLICTS_TABLE);
    const lacking = { id: ID, behind: ['west'] };
    expect(await run('verify')).toMatchObject({
      code: 3,
      json: {
        table: 'Customers',
        equal: false,
        different: 0,
        provenEqualAsOfMs: null,
        conflicts: {
          different: 1,
          recorded: { east: 1, west: 0, north: 1 },
          differences: [lacking],
        },
      },
    });
    const stop = new AbortController();
    const lines: string[] = [];
    const err = (text: string): void => {
      lines.push(text);
      stop.abort();
    };
    await runWith({ err, signal: stop.signal }, 'verify', '--every', '10s');
    expect(lines).toEqual(['proven equal as of never; different now: 1\n']);
    const planned = await run('repair');
    expect(planned).toMatchObject({ code: 3, json: { applied: false, conflicts: [lacking] } });
    const { out } = await runWith({}, 'repair');
    expect(out).toContain('1 to record. Run it again with --apply');
    expect(await regions.west.journal.list(customerKind.name, 10)).toEqual([]);
    expect(await run('repair', '--apply')).toMatchObject({
      code: 0,
      json: { equal: true, written: {}, conflictsWritten: { west: 1 }, conflicts: [] },
    });
    expect(await regions.west.journal.list(customerKind.name, 10)).toEqual([conflict]);
    expect(await run('verify')).toMatchObject({ code: 0, json: { conflicts: { different: 0 } } });
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
