import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createCliHarness } from '../../testing/cli-harness.ts';
import { openConsole, removeConsoles, textOf, visitConsole } from '../../testing/open-console.ts';
import { packField } from '../acts.ts';

afterAll(removeConsoles);

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';

describe('the page of drills', () => {
  test('predicts as the command does, and takes no region out before its name is typed', async () => {
    const harness = await createCliHarness();
    const opened = await openConsole({}, harness);
    const visitor = await visitConsole(opened);
    const begun = await visitor.post('/recovery/begin', { kind: 'drill', region: 'east' });
    const id = /name="id" value="([0-9a-f]{16})"/.exec(begun)?.[1] ?? '';
    const url = `/recovery/run?id=${id}`;
    await expect.poll(() => visitor.get(url)).not.toContain('>Stop it<');
    const plan = textOf(await visitor.get(url));
    expect(plan).toContain('if east vanished now');
    expect(plan).toContain('tandem drill --region east --for-real');
    for (const typed of ['', 'west']) {
      const refused = await visitor.post('/recovery/apply', { id, typed });
      expect(textOf(refused)).toContain('Nothing was done: that is not the name of the region');
    }
    expect(textOf(await visitor.get('/drill'))).toContain('None was tried by way of the console');
  });

  test('shows what past drills measured beside what was predicted', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tandem-drills-'));
    const id = '0123456789abcdef';
    await mkdir(join(folder, 'runs'));
    const json = {
      forReal: true,
      region: 'east',
      successor: 'west',
      bounds: { soonestMs: 20_000, formulaMs: 49_000, worstMs: 60_000 },
      failOverMs: 31_000,
      isWithinBounds: true,
      failBackMs: 12_000,
      counts: { failed: 3, stale: 0 },
    };
    const run = {
      id,
      kind: 'drill',
      args: ['drill', '--region', 'east', '--for-real'],
      region: 'east',
      person: 'ada',
      begunMs: 0,
      result: { endedMs: 1, exitCode: 0, text: '', isFailure: false, json },
    };
    await writeFile(join(folder, 'runs', `${id}.json`), JSON.stringify(run));
    // Another build measured other things.
    const other = {
      ...run,
      id: 'aaaaaaaaaaaaaaaa',
      result: { ...run.result, json: { forReal: true } },
    };
    await writeFile(join(folder, 'runs', `${other.id}.json`), JSON.stringify(other));
    // What cannot be read is left out.
    await writeFile(join(folder, 'runs', 'fedcba9876543210.json'), '{"id":');
    const visitor = await visitConsole(await openConsole({}, undefined, { folder }));
    const page = textOf(await visitor.get('/drill'));
    expect(page).toContain(
      'east west 31 s ✓ within 20 s to 1 min, 49 s by the formula not in time 12 s 3 0',
    );
  });
});

describe('the page of settings', () => {
  test('shows them and their history, and sets one only for the name of the region', async () => {
    const harness = await createCliHarness();
    const visitor = await visitConsole(await openConsole({}, harness));
    const page = textOf(await visitor.get('/settings?region=east'));
    expect(page).toContain('tandem config get --region east');
    expect(page).toContain('Nothing was changed with the command.');
    expect(page).toMatch(/Tombstone\.AgeMs 7776000000 90 d default/);
    expect(page).toMatch(/Archive\.KeepMs none default/);
    const fields = { region: 'east', setting: 'Tombstone.AgeMs', value: '8640000000' };
    const preview = textOf(await visitor.post('/settings/set', fields));
    expect(preview).toContain('Would set Tombstone.AgeMs in east');
    const read = async () =>
      (await harness.run('config', 'get', 'Tombstone.AgeMs', '--region', 'east')).json['settings'];
    const before = await read();
    const refused = { ...fields, stage: 'apply', typed: 'west' };
    expect(textOf(await visitor.post('/settings/set', refused))).toContain('Nothing was done');
    expect(await read()).toEqual(before);
    const done = await visitor.post('/settings/set', { ...fields, stage: 'apply', typed: 'east' });
    expect(textOf(done)).toContain('Set Tombstone.AgeMs in east');
    expect(await read()).toMatchObject([{ value: '8640000000', isSet: true }]);
    expect(textOf(await visitor.get('/settings?region=east'))).toContain(
      'Tombstone.AgeMs nothing 8640000000',
    );
  });

  test('sets nothing where another has set it since it was looked at, and shows what is so now', async () => {
    const harness = await createCliHarness();
    const visitor = await visitConsole(await openConsole({}, harness));
    const fields = { region: 'east', setting: 'Tombstone.AgeMs', value: '8640000000' };
    const look = async (): Promise<string> => {
      const page = await visitor.post('/settings/set', fields);
      return /name="seen" value="([^"]+)"/.exec(page)?.[1] ?? '';
    };
    const press = async (seen: string) =>
      textOf(
        await visitor.post('/settings/set', { ...fields, stage: 'apply', typed: 'east', seen }),
      );
    const seen = await look();
    const other = ['Tombstone.AgeMs', '9500000000', '--region', 'east', '--apply'];
    expect(await harness.run('config', 'set', ...other)).toMatchObject({ code: 0 });
    const refused = await press(seen);
    expect(refused).toContain('Nothing was done: somebody has changed it since you looked.');
    expect(refused).toContain('9500000000');
    const { json } = await harness.run('config', 'get', 'Tombstone.AgeMs', '--region', 'east');
    expect(json['settings']).toMatchObject([{ value: '9500000000' }]);
    expect(await press(await look())).toContain('Set Tombstone.AgeMs in east');
  });

  test('takes no secret, which the audit would show, and no field for an option', async () => {
    const visitor = await visitConsole(await openConsole());
    expect(await visitor.get('/settings?region=east')).not.toContain(
      '<option>ServiceBusConnection<',
    );
    const wrong: readonly Readonly<Record<string, string>>[] = [
      { setting: 'ServiceBusConnection', value: 'Endpoint=sb://x' },
      { setting: '--apply', value: 'x' },
      { setting: 'Tombstone.AgeMs', value: '--apply' },
    ];
    for (const fields of wrong) {
      const page = await visitor.post('/settings/set', { region: 'east', ...fields });
      expect(page).toContain('This did not work');
    }
    expect(await visitor.get('/audit')).not.toContain('sb://x');
  });
});

describe('one entity back to a time', () => {
  test('shows the difference first, and asks for the name of the region', async () => {
    const harness = await createCliHarness();
    const { regions } = harness;
    await regions.east.table.put(ID, { email: 'a@example.com', lastName: 'of old' });
    await regions.settle();
    const before = new Date(regions.clock.nowMs() + 1).toISOString();
    await regions.clock.advance(60_000);
    await regions.east.table.patch(ID, { lastName: 'of new' });
    await regions.settle();
    const visitor = await visitConsole(await openConsole({}, harness));
    expect(await visitor.post('/history', { id: ID })).toContain('Show the difference…');
    const fields = { entity: packField(ID), region: 'east', before };
    const preview = textOf(await visitor.post('/history/replay', fields));
    expect(preview).toContain(`tandem replay --from east --in-place --before ${before}`);
    expect(preview).toContain('lastName');
    expect((await regions.east.table.get(ID))?.entity.lastName).toBe('of new');
    const refused = { ...fields, stage: 'apply', typed: 'west' };
    expect(await visitor.post('/history/replay', refused)).toContain('Nothing was done');
    await visitor.post('/history/replay', { ...fields, stage: 'apply', typed: 'east' });
    expect((await regions.east.table.get(ID))?.entity.lastName).toBe('of old');
    expect(textOf(await visitor.get('/audit'))).toContain('ended tandem replay');
  });
});
