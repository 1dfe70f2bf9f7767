import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emptyTable, purgeQueue } from '@tandem/storage/testing';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type CliHarness,
  createBucketHarness,
  createCliHarness,
} from '../../testing/cli-harness.ts';
import {
  createGate,
  type OpenedConsole,
  openConsole,
  removeConsoles,
  textOf,
  type Visiting,
  visitConsole,
} from '../../testing/open-console.ts';
import { createLongRuns } from '../long-runs.ts';
import type { CommandRunner } from '../run-command.ts';

afterAll(removeConsoles);

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';

/** West lacks what the others have. */
async function createApart(count: number, made?: CliHarness): Promise<CliHarness> {
  const harness = made ?? (await createCliHarness());
  const { regions } = harness;
  await regions.drive(
    Promise.all(
      Array.from({ length: count }, (_, n) =>
        regions.east.table.put(idOf(n), { email: `${n}@example.com` }),
      ),
    ),
  );
  await purgeQueue(regions, 'west');
  await regions.settle();
  return harness;
}

function idOf(n: number): string {
  return `${ID.slice(0, -4)}${String(n).padStart(4, '0')}`;
}

const idIn = (page: string): string => /name="id" value="([0-9a-f]{16})"/.exec(page)?.[1] ?? '';

/** Begins a command, and resolves with its page once it has ended. */
async function runToEnd(
  visitor: Visiting,
  url: string,
  fields: Readonly<Record<string, string>>,
): Promise<{ readonly id: string; readonly page: string }> {
  const id = idIn(await visitor.post(url, fields));
  return { id, page: await endOf(visitor, id) };
}

async function endOf(visitor: Visiting, id: string): Promise<string> {
  const url = `/recovery/run?id=${id}`;
  await expect.poll(() => visitor.get(url)).not.toContain('>Stop it<');
  return visitor.get(url);
}

describe('the page of recovery', () => {
  test('proves the regions equal, and keeps a report that needs nothing else', async () => {
    const opened = await openConsole();
    const visitor = await visitConsole(opened);
    const { id, page } = await runToEnd(visitor, '/recovery/begin', { kind: 'verify' });
    expect(textOf(page)).toContain('✓ Done');
    expect(textOf(page)).toContain('Equal as of 2026-01-01T');
    const report = await visitor.get(`/recovery/report?id=${id}`);
    expect(textOf(report)).toContain('Equal as of 2026-01-01T');
    expect(report).not.toMatch(/src=|href=|<script|url\(/);
    expect(report).toMatch(/default-src &#39;none&#39;; style-src &#39;sha256-[\w+/=]+&#39;/);
    const audit = textOf(await visitor.get('/audit'));
    expect(audit).toContain('began tandem verify');
    expect(audit).toContain('ended tandem verify 0');
    expect(textOf(await visitor.get('/recovery'))).toContain('ada tandem verify ✓ Done');
  });

  test('repairs after it has shown the plan, and says what is left', async () => {
    const harness = await createApart(3);
    const visitor = await visitConsole(await openConsole({}, harness));
    const plan = await runToEnd(visitor, '/recovery/begin', { kind: 'repair' });
    expect(textOf(plan.page)).toContain('! Found something Nothing was changed.');
    expect(textOf(plan.page)).toContain('3 to repair.');
    expect(await harness.regions.west.table.get(idOf(0))).toBeUndefined();
    const done = await runToEnd(visitor, '/recovery/apply', { id: plan.id });
    expect(textOf(done.page)).toContain('tandem repair --apply');
    expect(textOf(done.page)).toContain('Rows written: 3 in west. The regions are equal.');
    expect(await harness.regions.west.table.get(idOf(0))).toBeDefined();
    // What was carried out is no plan, and a plan that finds nothing offers nothing.
    const refused = await visitor.post('/recovery/apply', { id: done.id });
    expect(refused).toContain('this plan cannot be carried out');
    const again = await runToEnd(visitor, '/recovery/again', { id: plan.id });
    expect(textOf(again.page)).toContain('Nothing to repair: the regions are equal.');
    expect(again.page).not.toContain('/recovery/apply');
  });

  test('holds no region before somebody has typed its name', async () => {
    const harness = await createApart(3);
    const visitor = await visitConsole(await openConsole({}, harness));
    const fields = { kind: 'rebuild', region: 'west' };
    const plan = await runToEnd(visitor, '/recovery/begin', fields);
    expect(textOf(plan.page)).toContain('✓ Planned Nothing was changed.');
    expect(textOf(plan.page)).toContain('Would hold west');
    for (const typed of ['', 'east', 'WEST']) {
      const refused = await visitor.post('/recovery/apply', { id: plan.id, typed });
      expect(textOf(refused)).toContain(
        'Nothing was done: that is not the name of the region, west.',
      );
    }
    expect(textOf(await visitor.get('/recovery'))).not.toContain('rebuild-region west --apply');
    const done = await runToEnd(visitor, '/recovery/apply', { id: plan.id, typed: 'west' });
    expect(textOf(done.page)).toContain('tandem rebuild-region west --apply');
    expect(await harness.regions.west.table.get(idOf(0))).toBeDefined();
    const countHolds = async (): Promise<number> =>
      textOf(await visitor.get('/recovery')).split('rebuild-region west --apply').length - 1;
    for (const typed of ['', 'east', 'WEST']) {
      const refused = await visitor.post('/recovery/again', { id: done.id, typed });
      expect(textOf(refused)).toContain('Nothing was done: that is not the name of the region');
    }
    expect(await countHolds()).toBe(1);
    await runToEnd(visitor, '/recovery/again', { id: done.id, typed: 'west' });
    expect(await countHolds()).toBe(2);
  });

  test('refuses a wrong name at an address that does nothing when it is loaded again', async () => {
    const visitor = await visitConsole(await openConsole());
    const plan = await runToEnd(visitor, '/recovery/begin', { kind: 'rebuild', region: 'west' });
    const { statusCode, location } = await visitor.send('/recovery/apply', { id: plan.id });
    expect({ statusCode, location }).toEqual({
      statusCode: 303,
      location: `/recovery/run?id=${plan.id}&refused`,
    });
  });

  test('lists what another build ran, and runs it neither again nor by a forged form', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tandem-runs-'));
    const id = '0123456789abcdef';
    await mkdir(join(folder, 'runs'));
    const record = { id, args: ['erase', 'west'], region: 'west', person: 'ada', begunMs: 0 };
    const result = { endedMs: 1, exitCode: 0, text: 'Erased.', isFailure: false, json: {} };
    await writeFile(
      join(folder, 'runs', `${id}.json`),
      JSON.stringify({ ...record, kind: 'of-a-build-to-come', result }),
    );
    const visitor = await visitConsole(await openConsole({}, undefined, { folder }));
    expect(textOf(await visitor.get('/recovery'))).toContain('ada tandem erase west ✓ Done');
    const page = await visitor.get(`/recovery/run?id=${id}`);
    expect(textOf(page)).toContain('Erased.');
    expect(page).not.toContain('/recovery/again');
    for (const act of ['again', 'apply']) {
      const refused = await visitor.post(`/recovery/${act}`, { id, typed: 'west' });
      expect(refused).toContain('This did not work');
    }
  });

  test('takes no field for an option, begins nothing that it does not list, and knows no other run', async () => {
    const visitor = await visitConsole(await openConsole());
    const tries: readonly Readonly<Record<string, string>>[] = [
      { kind: 'rebuild', region: '--apply' },
      { kind: 'rebuild', region: 'west', without: '--apply' },
      { kind: 'forget' },
      { kind: 'constructor' },
      {},
    ];
    for (const fields of tries) {
      expect(await visitor.post('/recovery/begin', fields)).toContain('This did not work');
    }
    const { page } = await runToEnd(visitor, '/recovery/begin', {
      kind: 'verify',
      table: '--help',
    });
    expect(page).toContain('There is no table &quot;--help&quot;');
    for (const id of ['', 'x', '../audit', '0'.repeat(16)]) {
      expect(await visitor.get(`/recovery/run?id=${encodeURIComponent(id)}`)).toContain(
        'not known here',
      );
    }
  });
});

describe('a command that takes long', () => {
  interface Shut {
    readonly opened: OpenedConsole;
    readonly visitor: Visiting;
    readonly gate: ReturnType<typeof createGate>;
    readonly harness: CliHarness;
    /** Of the repair that stands in the middle. */
    readonly id: string;
  }

  const KEPT_MAX = 100;
  const ROWS = 40;
  /** A transaction is of one bucket, and four are written at once: the rows come to several times that. */
  const MANY_BUCKETS = 16;

  /** A repair that has written to west some times, and stands before the next. */
  async function createHalfDone(writes = 3, made?: CliHarness): Promise<Shut> {
    const harness = await createApart(ROWS, made);
    const gate = createGate(harness);
    const opened = await openConsole(gate.io, harness, { gate });
    const visitor = await visitConsole(opened);
    const plan = await runToEnd(visitor, '/recovery/begin', { kind: 'repair' });
    gate.shutAfter(writes);
    const id = idIn(await visitor.post('/recovery/apply', { id: plan.id }));
    await gate.reached();
    return { opened, visitor, gate, harness, id };
  }

  const countIn = async ({ regions }: CliHarness): Promise<number> => {
    const found = await Promise.all(
      Array.from({ length: ROWS }, (_, n) => regions.west.table.get(idOf(n))),
    );
    return found.filter((one) => one !== undefined).length;
  };

  test('tells how far it is, stops when it is told to, and goes on from there', async () => {
    // The lease, what four buckets archive, and the rows of one of them.
    const made = await createBucketHarness(MANY_BUCKETS);
    const { visitor, gate, harness, id } = await createHalfDone(6, made);
    const url = `/recovery/run?id=${id}`;
    await expect.poll(() => visitor.get(url)).toMatch(/repaired \d+\/40 [█░]+ /);
    expect(textOf(await visitor.get(url))).toContain('? Running');
    await visitor.post('/recovery/cancel', { id });
    gate.open();
    const stopped = await endOf(visitor, id);
    expect(textOf(stopped)).toContain('! Stopped');
    const before = await countIn(harness);
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(ROWS);
    const { page: done } = await runToEnd(visitor, '/recovery/again', { id });
    expect(textOf(done)).toContain(
      `Rows written: ${ROWS - before} in west. The regions are equal.`,
    );
    expect(await countIn(harness)).toBe(ROWS);
  });

  test('is begun once by two who press at once, and goes on though the visit of who began it ends', async () => {
    const { opened, visitor, gate, id } = await createHalfDone();
    const other = await visitConsole(opened);
    expect(idIn(await other.post('/recovery/again', { id }))).toBe(id);
    for (const one of [visitor, other]) {
      await one.post('/leave', {});
      expect(await one.get('/recovery')).not.toContain('tandem repair');
    }
    gate.open();
    const later = await visitConsole(opened);
    expect(textOf(await endOf(later, id))).toContain('The regions are equal.');
    const begun = textOf(await later.get('/audit')).match(/began tandem repair --apply/g);
    expect(begun).toHaveLength(1);
  });

  test('is told of as broken off by a console that was started anew, and goes on', async () => {
    const { opened, gate, harness, id } = await createHalfDone();
    const anew = await openConsole({}, harness, { folder: opened.folder });
    const visitor = await visitConsole(anew);
    expect(textOf(await visitor.get('/recovery'))).toContain('tandem repair --apply ! Broken off');
    expect(textOf(await visitor.get(`/recovery/run?id=${id}`))).toContain(
      'the same command goes on from there',
    );
    // The one that was not ended after all holds the lease: nothing is done twice.
    const busy = await runToEnd(visitor, '/recovery/again', { id });
    expect(textOf(busy.page)).toContain('✕ Failed');
    expect(textOf(busy.page)).toContain('Someone else recovers the region');
    gate.open();
    await opened.runs.close();
    const done = await runToEnd(visitor, '/recovery/again', { id });
    expect(textOf(done.page)).toContain('The regions are equal.');
    expect(await countIn(harness)).toBe(ROWS);
  });

  test('is stopped with the console, and its end is written down', async () => {
    const { opened, gate, harness, id } = await createHalfDone();
    const closing = opened.runs.close();
    gate.open();
    await closing;
    const anew = await openConsole({}, harness, { folder: opened.folder });
    const visitor = await visitConsole(anew);
    expect(textOf(await visitor.get(`/recovery/run?id=${id}`))).toContain('! Stopped');
  });

  /** Commands that do nothing but end as they are told to, in a folder of their own. */
  async function createBareRuns(run: CommandRunner) {
    const { folder: parent, clock } = await openConsole();
    const folder = join(parent, 'other');
    const audit = { file: '', write: async () => undefined, read: async () => [] };
    const runs = createLongRuns({ folder, clock, run, audit, onFault: () => undefined });
    const begin = (n: number) =>
      runs.begin({ kind: 'verify', args: ['verify', String(n)], region: null, person: 'ada' });
    return { folder, clock, runs, begin };
  }

  test('is kept while it runs, however many have ended since', async () => {
    const hanging = Promise.withResolvers<never>();
    const { folder, clock, runs, begin } = await createBareRuns(() => hanging.promise);
    await mkdir(folder);
    const result = { endedMs: 1, exitCode: 0, text: '', isFailure: false, json: null };
    for (let n = 1; n < KEPT_MAX; n += 1) {
      const id = String(n).padStart(16, '0');
      const own = { id, args: ['verify', `of old ${n}`], begunMs: clock.nowMs() + n };
      const record = { ...own, kind: 'verify', region: null, person: 'ada', result };
      await writeFile(join(folder, `${id}.json`), JSON.stringify(record));
    }
    const { id } = await begin(1);
    await begin(2);
    const all = await runs.list();
    expect(all).toHaveLength(KEPT_MAX);
    const kept = new Map(all.map((run) => [run.id, run.state]));
    expect(kept.get(id)).toBe('running');
    expect(kept.has('0000000000000001')).toBe(false);
    expect(kept.has('0000000000000002')).toBe(true);
    hanging.reject(new Error('broken'));
    await runs.close();
  });

  test('is listed once the disk can be read that could not be', async () => {
    const { folder, runs } = await createBareRuns(async () => {
      throw new Error('broken');
    });
    await writeFile(folder, 'a file where a folder should be');
    await expect(runs.list()).rejects.toThrow('ENOTDIR');
    await rm(folder);
    expect(await runs.list()).toEqual([]);
  });

  test('is not begun while four are under way, and then nothing is written down', async () => {
    const hanging = Promise.withResolvers<never>();
    const { runs, begin } = await createBareRuns(() => hanging.promise);
    const begun = await Promise.all([1, 2, 3, 4, 1].map(begin));
    expect(new Set(begun.map(({ id }) => id)).size).toBe(4);
    await expect(begin(5)).rejects.toThrow('4 commands are under way: nothing was begun.');
    expect(await runs.list()).toHaveLength(4);
    hanging.reject(new Error('broken'));
    await runs.close();
    expect((await runs.list())[0]).toMatchObject({ state: 'ended', result: { isFailure: true } });
  });

  /** A repair that bert began, for ada to stop. */
  async function createOfAnother() {
    const harness = await createApart(ROWS);
    const gate = createGate(harness);
    const opened = await openConsole(gate.io, harness, { gate });
    gate.shutAfter(3);
    const repair = { kind: 'repair', args: ['repair', '--apply'], region: null };
    const { id } = await opened.runs.begin({ ...repair, person: 'bert' });
    await gate.reached();
    return { id, gate, opened, visitor: await visitConsole(opened) };
  }

  test('is written down as stopped by who stopped it, once', async () => {
    const { id, gate, visitor } = await createOfAnother();
    await visitor.post('/recovery/cancel', { id });
    gate.open();
    await endOf(visitor, id);
    await visitor.post('/recovery/cancel', { id });
    const audit = textOf(await visitor.get('/audit'));
    expect(audit).toContain('bert ended tandem repair --apply 130');
    expect(audit.match(/ada stopped tandem repair --apply/g)).toHaveLength(1);
  });

  test('is not stopped where that cannot be written down', async () => {
    const { id, gate, opened, visitor } = await createOfAnother();
    const file = join(opened.folder, 'state', 'audit.ndjson');
    await rm(file);
    await mkdir(file);
    expect((await visitor.send('/recovery/cancel', { id })).statusCode).toBe(500);
    gate.open();
    expect(textOf(await endOf(visitor, id))).toContain('✓ Done');
  });

  test('whose region is emptied is filled whole after it was stopped in the middle', async () => {
    const { visitor, gate, harness, id } = await createHalfDone();
    gate.open();
    await endOf(visitor, id);
    await emptyTable(harness.regions.west.store, 'Customers');
    const plan = await runToEnd(visitor, '/recovery/begin', { kind: 'rebuild', region: 'west' });
    gate.shutAfter(12);
    const fill = idIn(await visitor.post('/recovery/apply', { id: plan.id, typed: 'west' }));
    await gate.reached();
    await visitor.post('/recovery/cancel', { id: fill });
    gate.open();
    expect(textOf(await endOf(visitor, fill))).toContain('! Stopped');
    const done = await runToEnd(visitor, '/recovery/again', { id: fill, typed: 'west' });
    expect(textOf(done.page)).toContain('✓ Done');
    expect(await countIn(harness)).toBe(ROWS);
  });
});
