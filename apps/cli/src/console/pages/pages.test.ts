import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  catalogKind,
  encodeOpenId,
  openTableId,
  rowsKind,
  type TableStore,
  TransientError,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createRecoveryRegion, recordBucketCount } from '@tandem/storage';
import { afterAll, describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../../testing/cli-harness.ts';
import {
  createClientTable,
  type OpenedConsole,
  openConsole,
  removeConsoles,
  textOf,
  visitConsole as visit,
} from '../../testing/open-console.ts';
import { packField } from '../acts.ts';

afterAll(removeConsoles);

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';
const HOSTILE = '<img src=x onerror=alert(1)>\u202E"\'`\u0007';

const packed = (fields: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, packField(value)]));

async function createConflict(): Promise<CliHarness> {
  const harness = await createCliHarness();
  const { regions } = harness;
  await regions.east.table.put(ID, { email: 'base@example.com', lastName: 'base' });
  await regions.settle();
  await regions.east.table.patch(ID, { lastName: HOSTILE });
  await regions.clock.advance(5);
  await regions.west.table.patch(ID, { lastName: 'of west' });
  await regions.settle();
  return harness;
}

test('I11: the lists that the numbers of the first screen open are as long as these say, whatever kind it is of', async () => {
  const harness = await createConflict();
  const { regions } = harness;
  regions.bus.setDown('west', true);
  await createClientTable(harness, 'Orders');
  await regions.drive(regions.east.table.put(ID, { email: 'a@example.com' }));
  const entityId = encodeOpenId(openTableId('Orders', '0000'), { partitionKey: 'p', rowKey: 'r' });
  const [known] = await regions.east.journal.list(customerKind.name, 1);
  for (const [kind, id] of [
    [catalogKind, 'orders'],
    [rowsKind, entityId],
  ] as const) {
    const { store } = regions.east;
    const own = { region: 'east', store, kind, bucketCount: 1, peers: ['west'] };
    const conflict = known && { ...known, entityKind: kind.name, entityId: id };
    await createRecoveryRegion(own).conflicts.accept(conflict === undefined ? [] : [conflict]);
  }
  for (const { store } of regions.regions) {
    await store.createTable(rowsKind.name);
    await recordBucketCount(store, rowsKind, 1);
  }
  const opened = await openConsole({}, harness);
  await opened.look();
  const visitor = await visit(opened);
  const first = await visitor.get('/');
  const numberOf = (name: string): number =>
    Number(new RegExp(`data-figure="${name}">(?:<[^>]*>)*(\\d+)`).exec(first)?.[1]);
  expect([numberOf('at-risk'), numberOf('conflicts')]).toEqual([2, 3]);
  const atRisk = await visitor.get('/at-risk?region=east');
  expect(textOf(atRisk)).toContain('If east vanished now, 2 writes would be lost and 0 late');
  expect(atRisk.match(/>lost<\/strong>/g)).toHaveLength(2);
  const conflicts = await visitor.get('/conflicts?region=east');
  expect(conflicts.match(/Show both values/g)).toHaveLength(3);
  expect(textOf(conflicts)).toContain('p / r of the table with the id');
  const file = JSON.parse(await visitor.get('/at-risk.json?region=east')) as { lost: unknown[] };
  expect(file.lost).toHaveLength(2);
  // Those of one kind alone, where somebody wants that.
  const own = await visitor.get('/at-risk?region=east&table=Customers');
  expect(textOf(own)).toContain('If east vanished now, 1 write would be lost');
  expect(opened.faults).toEqual([]);

  // Where a part cannot be read no list passes for the whole.
  const { store } = regions.east;
  const { openStore } = harness.io();
  const halved: TableStore = {
    ...store,
    async query(range) {
      if (range.table === rowsKind.name) throw new TransientError('TABLE_UNAVAILABLE', 'gone');
      return store.query(range);
    },
  };
  const half = await openConsole(
    { openStore: (name) => (name === 'memory:east' ? halved : openStore(name)) },
    harness,
  );
  const blind = await visit(half);
  const page = textOf(await blind.get('/at-risk?region=east'));
  expect(page).toContain('This could not be read.');
  expect(page).toContain('If east vanished now, at least 2 writes would be lost');
  const none = JSON.parse(await blind.get('/at-risk.json?region=east')) as object;
  expect(none).toMatchObject({ error: { code: 'TABLE_UNAVAILABLE' } });
  expect(none).not.toHaveProperty('lost');
});

describe('the page of what is at risk', () => {
  test('lists by id what the command lists, and gives it as a file', async () => {
    const harness = await createCliHarness();
    harness.regions.bus.setDown('west', true);
    await harness.regions.drive(harness.regions.east.table.put(ID, { email: 'a@example.com' }));
    const visitor = await visit(await openConsole({}, harness));
    const page = await visitor.get('/at-risk?region=east');
    expect(textOf(page)).toContain('If east vanished now, 1 write would be lost and 0 late');
    expect(page).toContain(ID);
    expect(page).toContain('tandem at-risk --region east');
    expect(page).not.toContain('a@example.com');
    const file = JSON.parse(await visitor.get('/at-risk.json?region=east')) as { lost: unknown[] };
    const { json } = await harness.run('at-risk', '--region', 'east');
    expect(file.lost).toEqual(json['lost']);
  });

  test('says what is wrong with a table that there is not', async () => {
    const visitor = await visit(await openConsole());
    const page = await visitor.get(`/at-risk?region=east&table=${encodeURIComponent(HOSTILE)}`);
    expect(page).toContain('This could not be read.');
    expect(page).not.toContain('<img');
  });
});

describe('the page of conflicts', () => {
  test('hides values until somebody asks, and writes down who did', async () => {
    const opened = await openConsole({}, await createConflict());
    const visitor = await visit(opened);
    const page = await visitor.get('/conflicts?region=east');
    expect(textOf(page)).toContain('lastName •••••');
    expect(page).not.toContain('of west');
    const name = await conflictName(opened);
    const fields = packed({ conflict: name, region: 'east', table: '' });
    const shown = await visitor.post('/conflicts/show', fields);
    expect(textOf(shown)).toContain('of west');
    expect(shown).toContain('&lt;img src=x onerror=alert(1)&gt;\\u202e&quot;&#39;&#96;\\u0007');
    expect(shown).not.toContain('<img');
    const audit = textOf(await visitor.get('/audit'));
    expect(audit).toContain(`ada asked for values tandem conflicts show ${name} --region east`);
    expect(audit).not.toContain('of west');
  });

  test('restores what lost, after it has said what it would do', async () => {
    const harness = await createConflict();
    const opened = await openConsole({}, harness);
    const visitor = await visit(opened);
    const name = await conflictName(opened);
    const fields = packed({ conflict: name, region: 'east', table: '', field: 'lastName' });
    const preview = await visitor.post('/conflicts/restore', fields);
    expect(textOf(preview)).toContain(`Would set lastName of ${ID}.`);
    expect(textOf(preview)).toMatch(/Field Now Then lastName of west in west, .* &lt;img src=x/);
    expect(preview).not.toContain('<img');
    expect(preview).toContain(
      `tandem conflicts restore ${name} --region east --field lastName --apply`,
    );
    expect((await harness.regions.east.table.get(ID))?.entity.lastName).toBe('of west');
    const done = await visitor.post('/conflicts/restore', { ...fields, stage: 'apply' });
    expect(textOf(done)).toContain(`Set lastName of ${ID}; every region gets it.`);
    await harness.regions.settle();
    expect((await harness.regions.west.table.get(ID))?.entity.lastName).toBe(HOSTILE);
    // The second of two who press at once.
    const again = await visitor.post('/conflicts/restore', { ...fields, stage: 'apply' });
    expect(textOf(again)).toContain('✕ Failed');
    expect(textOf(await visitor.get('/audit'))).toMatch(/ada ended tandem conflicts restore/);
  });

  test('does nothing, and shows no value, where nobody can write down that it was done', async () => {
    const opened = await openConsole({}, await createConflict());
    const visitor = await visit(opened);
    await writeFile(join(opened.folder, 'state'), 'a file where a folder should be');
    const fields = packed({ conflict: await conflictName(opened), region: 'east', table: '' });
    for (const path of ['/conflicts/show', '/conflicts/restore']) {
      const page = await visitor.post(path, { ...fields, stage: 'apply' });
      expect(page).toContain('This did not work');
      expect(page).not.toContain('of west');
    }
    expect((await opened.harness.regions.east.table.get(ID))?.entity.lastName).toBe('of west');
    expect(opened.faults).toHaveLength(2);
  });

  async function conflictName({ harness }: OpenedConsole): Promise<string> {
    const { json } = await harness.run('conflicts', 'list', '--region', 'east');
    return (json['conflicts'] as { conflict: string }[])[0]?.conflict ?? '';
  }
});

describe('the page of dead letters', () => {
  async function createDead(): Promise<CliHarness> {
    const harness = await createCliHarness();
    const { regions } = harness;
    await regions.drive(regions.east.table.put(ID, { email: 'a@example.com' }));
    await regions.drive(regions.east.replicator.sweepOnce());
    const viewer = regions.bus.viewerFor('west');
    const [first] = await viewer.peek('messages', 0n, 1);
    await viewer.setAside(new Set(first === undefined ? [] : [first.sequenceNumber]));
    return harness;
  }

  test('groups them by reason, and shows a body once somebody asks', async () => {
    const harness = await createDead();
    const visitor = await visit(await openConsole({}, harness));
    const page = await visitor.get('/dead-letters?region=west');
    expect(textOf(page)).toContain('SET_ASIDE · 1 message');
    expect(page).not.toContain('a@example.com');
    const [, number = ''] = /name="number" value="([^"]+)"/.exec(page) ?? [];
    const shown = await visitor.post('/dead-letters/show', { number, region: packField('west') });
    expect(shown).toContain('a@example.com');
  });

  test('puts them back, and throws them away only for the name of the region', async () => {
    const harness = await createDead();
    const visitor = await visit(await openConsole({}, harness));
    const count = async (lane: 'messages' | 'dead-letters') =>
      (await harness.regions.bus.viewerFor('west').peek(lane, 0n, 10)).length;
    const page = await visitor.get('/dead-letters?region=west');
    const [, number = ''] = /name="number" value="([^"]+)"/.exec(page) ?? [];
    const fields = { number, region: packField('west') };
    const preview = await visitor.post('/dead-letters/discard', fields);
    expect(textOf(preview)).toContain('1 would be discarded.');
    // What a terminal is told to do next is a button here.
    expect(preview).not.toContain('Run it again');
    for (const typed of ['', 'east', 'WEST']) {
      const refused = await visitor.post('/dead-letters/discard', {
        ...fields,
        stage: 'apply',
        typed,
      });
      expect(textOf(refused)).toContain(
        'Nothing was done: that is not the name of the region, west.',
      );
      expect(await count('dead-letters')).toBe(1);
    }
    const done = await visitor.post('/dead-letters/resubmit', { ...fields, stage: 'apply' });
    expect(textOf(done)).toContain('1 of 1 were resubmitted.');
    expect(await count('dead-letters')).toBe(0);
    // Once more is harmless, and says what is no longer there.
    const again = await visitor.post('/dead-letters/resubmit', { ...fields, stage: 'apply' });
    expect(textOf(again)).toContain('0 of 0 were resubmitted. Not there:');
  });

  test('acts on the rows that it shows, however many there are', async () => {
    const harness = await createCliHarness();
    const { bus } = harness.regions;
    const count = 450;
    await bus.publisherFor('east', 'west').publish(
      Array.from({ length: count }, (_, n) => ({
        messageId: String(n),
        subject: 'change-set' as const,
        body: new Uint8Array(),
      })),
    );
    const viewer = bus.viewerFor('west');
    const sent = await viewer.peek('messages', 0n, count);
    await viewer.setAside(new Set(sent.map(({ sequenceNumber }) => sequenceNumber)));
    const visitor = await visit(await openConsole({}, harness));
    const page = await visitor.get('/dead-letters?region=west');
    expect(textOf(page)).toContain('SET_ASIDE · 450 messages');
    expect(textOf(page)).toContain('Put the oldest 200 back into the queue…');
    expect(textOf(page)).toContain('tandem dead-letters resubmit --all --region west --apply');
    const [form = ''] =
      /<form method="post" action="\/dead-letters\/resubmit".*?<\/form>/s.exec(page) ?? [];
    const numbers = [...form.matchAll(/name="number" value="([^"]+)"/g)].map(([, one = '']) => one);
    expect(numbers).toHaveLength(200);
    const fields = { number: numbers, region: packField('west') };
    const preview = await visitor.post('/dead-letters/discard', fields);
    expect(textOf(preview)).toContain('200 would be discarded.');
    await visitor.post('/dead-letters/discard', { ...fields, stage: 'apply', typed: 'west' });
    const left = await viewer.peek('dead-letters', 0n, count);
    expect(left.map(({ messageId }) => messageId)).toEqual(
      Array.from({ length: count - 200 }, (_, n) => String(n + 200)),
    );
    const forged = { ...fields, number: left.map((one) => packField(String(one.sequenceNumber))) };
    const refused = await visitor.post('/dead-letters/resubmit', { ...forged, stage: 'apply' });
    expect(textOf(refused)).toContain('Nothing was done: 250 dead letters are named');
    expect(await viewer.peek('dead-letters', 0n, count)).toHaveLength(250);
  });
});

describe('the page of one entity', () => {
  test('shows who wrote what where, and values only when asked', async () => {
    const visitor = await visit(await openConsole({}, await createConflict()));
    const hidden = await visitor.post('/history', { id: ID });
    expect(textOf(hidden)).toContain('lastName •••••');
    expect(hidden).not.toContain('of west');
    const shown = await visitor.post('/history/values', { id: ID });
    expect(textOf(shown)).toContain('lastName of west');
    expect(textOf(await visitor.get('/audit'))).toContain('asked for values tandem history');
  });

  test('says what is no id, and runs nothing that a field begs for', async () => {
    const visitor = await visit(await openConsole());
    for (const id of ['x', HOSTILE]) {
      const page = await visitor.post('/history', { id });
      expect(page).toContain('This could not be read.');
      expect(page).not.toContain('<img');
    }
    for (const id of ['--apply', '-x', '--regions=/etc/passwd']) {
      expect(await visitor.post('/history', { id })).toContain('begins with a dash');
    }
    const page = await visitor.post('/history', { table: '--json', partition: '-a', row: '--row' });
    expect(page).toContain('There is no table &quot;--json&quot;');
    expect(page).toContain('--partition=-a --row=--row');
  });
});

describe('the page of tables', () => {
  async function createOrders(): Promise<CliHarness> {
    const harness = await createCliHarness();
    await createClientTable(harness, 'Orders');
    return harness;
  }

  test('lists those that the command lists, and tells all of one: policy, rows, bytes and lag', async () => {
    const opened = await openConsole({}, await createOrders());
    await opened.look();
    const visitor = await visit(opened);
    const list = textOf(await visitor.get('/tables?region=east'));
    expect(list).toContain('tandem tables list --region east');
    expect(list).toContain('Orders 0000 row all');
    const one = textOf(await visitor.get('/tables?region=east&table=orders'));
    expect(one).toContain('current');
    expect(one).toContain('Archive: kept for ever');
    expect(one).toContain('Count its rows and bytes in every region');
    expect(one).toMatch(/From To Lag .* east west .* west east/);
    const counted = await visitor.post('/recovery/begin', { kind: 'verify', table: 'Orders' });
    expect(textOf(counted)).toContain('tandem verify --table Orders');
    const begged = packed({ table: '--help', region: 'east' });
    expect(await visitor.post('/tables/delete', begged)).toContain('begins with a dash');
    const unknown = await visitor.get(`/tables?region=east&table=${encodeURIComponent(HOSTILE)}`);
    expect(unknown).toContain('This could not be read.');
    expect(unknown).not.toContain('<img');
  });

  test('deletes one only for the name of the region, and brings it back', async () => {
    const harness = await createOrders();
    const visitor = await visit(await openConsole({}, harness));
    const fields = packed({ table: 'Orders', region: 'east' });
    const names = async () =>
      (await harness.run('tables', 'list', '--region', 'east')).json['tables'];
    const preview = await visitor.post('/tables/delete', fields);
    expect(textOf(preview)).toContain('Would delete Orders in every region.');
    const refused = await visitor.post('/tables/delete', {
      ...fields,
      stage: 'apply',
      typed: 'west',
    });
    expect(textOf(refused)).toContain('Nothing was done');
    expect(await names()).toHaveLength(1);
    const done = await visitor.post('/tables/delete', { ...fields, stage: 'apply', typed: 'east' });
    expect(textOf(done)).toContain('Deleted Orders; every region gets it.');
    expect(await names()).toEqual([]);
    const back = await visitor.post('/tables/restore', { ...fields, stage: 'apply' });
    expect(textOf(back)).toContain('Restored Orders; every region gets it.');
    expect(await names()).toHaveLength(1);
    expect(textOf(await visitor.get('/audit'))).toContain('tandem tables delete Orders');
  });
});
