import { customerKind } from '@tandem/core/customers';
import { recoveryRegionOf } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';
import { linesOf } from '../testing/lines-of.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';
const OTHER = '5049a7a2-b0fe-45fc-9b2d-a8b0de1888f3';

async function createConflict(): Promise<CliHarness> {
  const harness = await createCliHarness();
  await disagree(harness, ID);
  return harness;
}

/** East sets an address, west another that it wins with. */
async function disagree({ regions }: CliHarness, id: string): Promise<void> {
  await regions.east.table.put(id, { email: 'base@example.com', phoneNumber: '1' });
  await regions.settle();
  await regions.east.table.patch(id, { email: 'east@example.com' });
  await regions.clock.advance(5);
  await regions.west.table.patch(id, { email: 'west@example.com' });
  await regions.settle();
}

describe('tandem conflicts', () => {
  test('lists and shows the value that lost, the same in both regions', async () => {
    const { run, runWith } = await createConflict();
    const east = await run('conflicts', 'list', '--region', 'east');
    const west = await run('conflicts', 'list', '--region', 'west');
    expect(east.json['conflicts']).toEqual(west.json['conflicts']);
    const [conflict] = east.json['conflicts'] as { conflict: string }[];
    const { json } = await run('conflicts', 'show', conflict?.conflict ?? '', '--region', 'east');
    expect(json).toMatchObject({
      id: ID,
      fields: [{ name: 'email', lost: { value: ['String', 'east@example.com'] } }],
    });
    const shown = await runWith(
      {},
      'conflicts',
      'show',
      conflict?.conflict ?? '',
      '--region',
      'west',
    );
    expect(shown.out).toContain('west@example.com');
    expect(await run('conflicts', 'show', 'nonsense', '--region', 'east')).toMatchObject({
      code: 2,
    });
  });

  test('restores it by a write that every region gets, unless it was written again since', async () => {
    const { regions, run } = await createConflict();
    const { json } = await run('conflicts', 'list', '--region', 'east');
    const [{ conflict = '' } = {}] = json['conflicts'] as { conflict?: string }[];
    const args = ['conflicts', 'restore', conflict, '--region', 'east'];
    expect(await run(...args)).toMatchObject({ json: { applied: false, fields: ['email'] } });
    expect(await run(...args, '--apply')).toMatchObject({ code: 0, json: { applied: true } });
    await regions.settle();
    for (const { table } of [regions.east, regions.west]) {
      expect((await table.get(ID))?.entity.email).toBe('east@example.com');
    }
    expect(await run(...args, '--apply')).toMatchObject({
      code: 1,
      json: { error: { code: 'RECOVERY_REFUSED' } },
    });
    expect(await run(...args, '--apply', '--force')).toMatchObject({ code: 0 });
    expect(await run(...args, '--field', 'phoneNumber')).toMatchObject({ code: 2 });
  });

  test('says to a person when, of whom and what lost, and both values', async () => {
    const harness = await createConflict();
    const { runWith } = harness;
    const [{ conflict } = { conflict: '' }] = await listOf(harness, 'east');
    const at = ['--region', 'east'];
    expect(linesOf((await runWith({}, 'conflicts', 'list', ...at)).out)).toEqual([
      'at | id | lost | conflict',
      `2026-01-01T00:00:07.005Z | ${ID} | email | ${conflict}`,
      '',
    ]);
    expect(linesOf((await runWith({}, 'conflicts', 'show', conflict, ...at)).out)).toEqual([
      ID,
      'field | won | lost',
      'email | west@example.com | east@example.com',
      '',
    ]);
    const { json } = await harness.run('conflicts', 'show', conflict, ...at);
    expect(json).toMatchObject({
      conflict,
      atMs: Date.parse('2026-01-01T00:00:07.005Z'),
      fields: [
        {
          won: { value: ['String', 'west@example.com'] },
          lost: { stamp: expect.stringContaining('east') },
        },
      ],
      life: null,
    });
  });

  test('says that there are none, and which were trimmed', async () => {
    const { regions, run, runWith } = await createCliHarness();
    const args = ['conflicts', 'list', '--region', 'east'];
    expect((await runWith({}, ...args)).out).toBe('There are no conflicts.\n');
    expect((await run(...args)).json).toMatchObject({ conflictsFromMs: null, conflicts: [] });
    const fromMs = regions.clock.nowMs();
    await recoveryRegionOf(regions.east, customerKind, ['east']).conflictsFrom?.raise(fromMs);
    expect((await runWith({}, ...args)).out).toBe(
      `There are no conflicts.\nThose of before ${new Date(fromMs).toISOString()} are trimmed.\n`,
    );
    expect((await run(...args)).json).toMatchObject({ conflictsFromMs: fromMs });
  });

  test('lists so many of the newest, and of one row so many of its own', async () => {
    const harness = await createConflict();
    const { run } = harness;
    await disagree(harness, ID);
    await disagree(harness, OTHER);
    const args = ['conflicts', 'list', '--region', 'west'];
    const idsOf = async (...more: readonly string[]): Promise<readonly unknown[]> => {
      const { json } = await run(...args, ...more);
      return (json['conflicts'] as { id: string; atMs: number }[]).map(({ id }) => id);
    };
    expect(await idsOf()).toEqual([OTHER, ID, ID]);
    expect(await idsOf('--limit', '2')).toEqual([OTHER, ID]);
    expect(await idsOf('--row', ID)).toEqual([ID, ID]);
    expect(await idsOf('--row', ID, '--limit', '1')).toEqual([ID]);
    for (const limit of ['0', '100001'])
      expect(await run(...args, '--limit', limit)).toMatchObject({ code: 2 });
    expect(await idsOf('--limit', '100000')).toHaveLength(3);
  });

  test('shows and restores one that is older than those that it lists', async () => {
    const harness = await createConflict();
    const { run } = harness;
    const [{ conflict } = { conflict: '' }] = await listOf(harness, 'east');
    await disagree(harness, OTHER);
    for (const act of ['show', 'restore']) {
      const args = ['conflicts', act, conflict, '--region', 'east', '--limit', '1'];
      expect(await run(...args)).toMatchObject({ code: 0, json: { id: ID } });
    }
  });

  test('says what it would set, what it has set, and what it cannot', async () => {
    const harness = await createConflict();
    const { runWith } = harness;
    const [{ conflict } = { conflict: '' }] = await listOf(harness, 'east');
    const args = ['conflicts', 'restore', conflict, '--region', 'east'];
    const missing = await runWith({}, ...args, '--field', 'phoneNumber');
    expect(missing.err).toContain('Nothing of "phoneNumber" was lost in this conflict.');
    expect((await runWith({}, ...args, '--field', 'email')).out).toBe(
      `Would set email of ${ID}. Run it with --apply.\n`,
    );
    expect((await runWith({}, ...args, '--apply')).out).toBe(
      `Set email of ${ID}; every region gets it.\n`,
    );
  });

  test('of different fields lost nothing, and there is nothing to restore', async () => {
    const harness = await createCliHarness();
    const { regions, runWith } = harness;
    await regions.east.table.put(ID, { email: 'base@example.com', phoneNumber: '1' });
    await regions.settle();
    await regions.east.table.patch(ID, { email: 'east@example.com' });
    await regions.west.table.patch(ID, { phoneNumber: '2' });
    await regions.settle();
    expect(await listOf(harness, 'east')).toHaveLength(1);
    const [{ conflict } = { conflict: '' }] = await listOf(harness, 'east');
    const at = ['--region', 'east'];
    expect((await runWith({}, 'conflicts', 'list', ...at)).out).toContain(
      'nothing: different fields',
    );
    const refused = await runWith({}, 'conflicts', 'restore', conflict, ...at);
    expect(refused.err).toContain('Nothing of "it" was lost in this conflict.');
  });

  test('restores nothing over what is written while it is at it', async () => {
    const { regions, run } = await createConflict();
    const { json } = await run('conflicts', 'list', '--region', 'east');
    const [{ conflict = '' } = {}] = json['conflicts'] as { conflict?: string }[];
    const { store } = regions.east;
    store.beforeCommit(async ({ table }) => {
      if (table !== customerKind.name) return;
      store.beforeCommit(() => undefined);
      await regions.east.openTable().patch(ID, { email: 'newest@example.com' });
    });
    const args = ['conflicts', 'restore', conflict, '--region', 'east', '--apply'];
    expect(await run(...args)).toMatchObject({
      code: 1,
      json: { error: { code: 'RECOVERY_REFUSED' } },
    });
    expect((await regions.east.table.get(ID))?.entity.email).toBe('newest@example.com');
  });
});

interface ListedConflict {
  readonly conflict: string;
  readonly fields: readonly { readonly name: string; readonly lost: { readonly value: unknown } }[];
}

async function listOf({ run }: CliHarness, region: string): Promise<readonly ListedConflict[]> {
  const { json } = await run('conflicts', 'list', '--region', region);
  return json['conflicts'] as ListedConflict[];
}

describe('A11: three regions with concurrent edits of one field', () => {
  const NAMES = ['east', 'west', 'north'];

  /** Each region patches; west and north are joined with each other before east hears of any of it. */
  const createThreeWay = async (): Promise<CliHarness> => {
    const harness = await createCliHarness('north');
    const { regions } = harness;
    await regions.east.table.put(ID, { email: 'base@example.com', phoneNumber: '1' });
    await regions.settle();
    regions.bus.setDown('east', true);
    for (const { region, table } of regions.regions) {
      await regions.drive(table.patch(ID, { email: `${region}@example.com` }));
      await regions.clock.advance(5);
    }
    for (let round = 0; round < 5; round += 1) {
      for (const { region, replicator } of regions.regions) {
        await regions.drive(replicator.sweepOnce());
        if (region !== 'east') {
          await regions.drive(replicator.receiveOnce(new AbortController().signal));
        }
      }
      await regions.clock.advance(2_000);
    }
    await regions.drive(regions.west.table.patch(ID, { phoneNumber: '2' }));
    regions.bus.setDown('east', false);
    await regions.clock.advance(60_000);
    await regions.settle();
    return harness;
  };

  test('I18: lists the same in every region, and shows each of them in every region', async () => {
    const harness = await createThreeWay();
    const east = await listOf(harness, 'east');
    for (const name of NAMES) expect(await listOf(harness, name)).toEqual(east);
    const lost = east.flatMap(({ fields }) => fields.map((field) => field.lost.value));
    expect(lost).toContainEqual(['String', 'east@example.com']);
    expect(lost).toContainEqual(['String', 'west@example.com']);
    for (const { conflict } of east) {
      for (const name of NAMES) {
        const { code } = await harness.run('conflicts', 'show', conflict, '--region', name);
        expect(code).toBe(0);
      }
    }
  });

  test('restores what lost by way of another that lost too, and nothing over what was written since', async () => {
    const harness = await createThreeWay();
    const { regions, run } = harness;
    const listed = await listOf(harness, 'north');
    const losers = listed.filter(({ fields }) =>
      fields.some(({ lost }) => String(lost.value).includes('east@')),
    );
    expect(losers.length).toBeGreaterThan(0);
    for (const { conflict } of losers) {
      const planned = await run('conflicts', 'restore', conflict, '--region', 'west');
      expect(planned).toMatchObject({ code: 0, json: { action: 'set', fields: ['email'] } });
    }
    const args = ['conflicts', 'restore', losers[0]!.conflict, '--region', 'west', '--apply'];
    expect(await run(...args)).toMatchObject({ code: 0, json: { applied: true } });
    await regions.settle();
    for (const { table } of regions.regions) {
      expect((await table.get(ID))?.entity).toMatchObject({
        email: 'east@example.com',
        phoneNumber: '2',
      });
    }
    await regions.drive(regions.east.table.patch(ID, { email: 'after@example.com' }));
    await regions.settle();
    expect(await run(...args)).toMatchObject({
      code: 1,
      json: { error: { code: 'RECOVERY_REFUSED' } },
    });
  });
});

describe('A13: a write against a deletion, neither of which had seen the other', () => {
  /** `first` acts before `second`, so it loses. */
  const createAgainst = async (
    first: 'write' | 'deletion',
  ): Promise<CliHarness & { readonly name: string }> => {
    const harness = await createCliHarness('north');
    const { regions } = harness;
    const { east, west } = regions;
    await east.table.put(ID, { email: 'base@example.com', phoneNumber: '1' });
    await regions.settle();
    const write = (): Promise<unknown> => west.table.patch(ID, { email: 'lost@example.com' });
    const remove = (): Promise<unknown> => east.table.remove(ID);
    await regions.drive(first === 'write' ? write() : remove());
    await regions.clock.advance(5);
    await regions.drive(first === 'write' ? remove() : write());
    await regions.settle();
    const listed = await listOf(harness, 'east');
    for (const name of ['west', 'north']) expect(await listOf(harness, name)).toEqual(listed);
    expect(listed).toHaveLength(1);
    return { ...harness, name: listed[0]!.conflict };
  };

  test('I7: the write that lost is recorded with its value, and restored by a write that revives', async () => {
    const { regions, run, runWith, name } = await createAgainst('write');
    const at = ['--region', 'north'];
    expect((await run('conflicts', 'show', name, ...at)).json).toMatchObject({
      fields: [
        { name: 'email', won: { value: null }, lost: { value: ['String', 'lost@example.com'] } },
      ],
      life: { survives: false },
    });
    expect((await runWith({}, 'conflicts', 'list', ...at)).out).toContain('email; the write lost');
    expect(linesOf((await runWith({}, 'conflicts', 'show', name, ...at)).out)).toEqual([
      ID,
      'field | won | lost',
      'email |  | lost@example.com',
      'Deleted in one, written in the other; the write lost.',
      '',
    ]);
    const planned = await runWith({}, 'conflicts', 'restore', name, ...at);
    expect(planned.out).toBe(`Would make ${ID} alive again with email. Run it with --apply.\n`);
    expect(await run('conflicts', 'restore', name, ...at, '--apply')).toMatchObject({
      code: 0,
      json: { applied: true, action: 'revive', fields: ['email'] },
    });
    await regions.settle();
    for (const { table } of regions.regions) {
      expect((await table.get(ID))?.entity).toMatchObject({
        email: 'lost@example.com',
        phoneNumber: '1',
      });
    }
    expect(await run('conflicts', 'restore', name, ...at, '--apply')).toMatchObject({
      code: 1,
      json: { error: { code: 'RECOVERY_REFUSED' } },
    });
  });

  test('the deletion that lost is recorded, and restored by deleting again', async () => {
    const { regions, run, runWith, name } = await createAgainst('deletion');
    const at = ['--region', 'west'];
    expect((await runWith({}, 'conflicts', 'list', ...at)).out).toContain('│ the deletion lost ');
    expect((await runWith({}, 'conflicts', 'restore', name, ...at)).out).toBe(
      `Would delete ${ID} again. Run it with --apply.\n`,
    );
    expect((await run('conflicts', 'show', name, ...at)).json).toMatchObject({
      fields: [],
      life: { survives: true },
    });
    // Who names a field does not mean the deletion.
    const field = await run('conflicts', 'restore', name, ...at, '--field', 'email', '--apply');
    expect(field).toMatchObject({ code: 2, err: expect.stringContaining('Nothing of "email"') });
    expect((await regions.west.table.get(ID))?.entity.email).toBe('lost@example.com');
    expect(await run('conflicts', 'restore', name, ...at, '--apply')).toMatchObject({
      code: 0,
      json: { applied: true, action: 'delete' },
    });
    await regions.settle();
    for (const { table } of regions.regions) expect(await table.get(ID)).toBeUndefined();
    expect(await run('conflicts', 'restore', name, ...at, '--apply')).toMatchObject({
      code: 0,
      json: { applied: false, action: 'none' },
    });
    const again = await runWith({}, 'conflicts', 'restore', name, ...at, '--apply');
    expect(again.out).toBe(`There is nothing to restore: ${ID} has it already.\n`);
  });

  test('a value that lost to another is not set in what was deleted since, unless it is said so', async () => {
    const { regions, run } = await createConflict();
    const { json } = await run('conflicts', 'list', '--region', 'east');
    const [{ conflict = '' } = {}] = json['conflicts'] as { conflict?: string }[];
    await regions.drive(regions.west.table.remove(ID));
    await regions.settle();
    const args = ['conflicts', 'restore', conflict, '--region', 'east', '--apply'];
    expect(await run(...args)).toMatchObject({
      code: 1,
      json: { error: { code: 'RECOVERY_REFUSED' } },
    });
    expect(await run(...args, '--force')).toMatchObject({ code: 0, json: { action: 'revive' } });
    expect((await regions.east.table.get(ID))?.entity.email).toBe('east@example.com');
  });
});
