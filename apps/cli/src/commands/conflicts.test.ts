import { customerKind } from '@tandem/core/customers';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';

async function createConflict(): Promise<CliHarness> {
  const harness = await createCliHarness();
  const { regions } = harness;
  await regions.east.table.put(ID, { email: 'base@example.com', phoneNumber: '1' });
  await regions.settle();
  await regions.east.table.patch(ID, { email: 'east@example.com' });
  await regions.clock.advance(5);
  await regions.west.table.patch(ID, { email: 'west@example.com' });
  await regions.settle();
  return harness;
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
    const planned = await runWith({}, 'conflicts', 'restore', name, ...at);
    expect(planned.out).toContain('Would make');
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
    const { regions, run, name } = await createAgainst('deletion');
    const at = ['--region', 'west'];
    expect((await run('conflicts', 'show', name, ...at)).json).toMatchObject({
      fields: [],
      life: { survives: true },
    });
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
