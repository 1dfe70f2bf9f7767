import { customerKind } from '@tandem/core/customers';
import {
  ARCHIVE_TABLE,
  CONFIGURATION_TABLE,
  CONFLICTS_TABLE,
  createTableRegionHold,
  REPLICATION_TABLE,
} from '@tandem/storage';
import { emptyTable, expectReplayable } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { createCliHarness } from '../testing/cli-harness.ts';

const TABLES = [
  customerKind.name,
  ARCHIVE_TABLE,
  CONFLICTS_TABLE,
  CONFIGURATION_TABLE,
  REPLICATION_TABLE,
];

function idOf(n: number): string {
  return `00b479c9-f61f-451a-86d2-${String(n).padStart(12, '0')}`;
}

describe('with three regions', () => {
  test('I2, I14, I18: one that is lost is rebuilt from both others, their conflicts included', async () => {
    const harness = await createCliHarness('north');
    const { regions, run } = harness;
    const { west } = regions;
    for (let n = 0; n < 6; n += 1) {
      await regions.drive(west.table.put(idOf(n), { email: `${n}@example.com` }));
    }
    await regions.settle();
    for (const { region, table } of regions.regions) {
      await regions.drive(table.patch(idOf(1), { firstName: region }));
      await regions.clock.advance(5);
    }
    await regions.settle();
    const before = await run('conflicts', 'list', '--region', 'north');
    expect(before.json['conflicts']).not.toHaveLength(0);
    for (const table of TABLES) await emptyTable(west.store, table);
    const rebuilt = await run('rebuild-region', 'west', '--apply');
    expect(rebuilt).toMatchObject({ code: 0, json: { applied: true, equal: true } });
    expect(await createTableRegionHold({ store: west.store }).read()).toBeUndefined();
    const after = await run('conflicts', 'list', '--region', 'west');
    expect(after.json['conflicts']).toEqual(before.json['conflicts']);
    expect(await run('verify')).toMatchObject({ code: 0 });
    await expectReplayable(west, customerKind);
  });

  test('I11: what one peer has is not lost with the region, and what none has is', async () => {
    const harness = await createCliHarness('north');
    const { regions, run } = harness;
    const { east, bus, drive, clock } = regions;
    await drive(east.table.put(idOf(1), { email: 'everywhere@example.com' }));
    await regions.settle();
    bus.setDown('north', true);
    await drive(east.table.put(idOf(2), { email: 'west-has-it@example.com' }));
    await clock.advance(30_000);
    await drive(east.replicator.sweepOnce());
    bus.setDown('west', true);
    await drive(east.table.put(idOf(3), { email: 'nobody-has-it@example.com' }));
    await clock.advance(30_000);
    await drive(east.replicator.sweepOnce());
    const { json } = await run('at-risk', '--region', 'east');
    const lost = (json['lost'] as { id: string }[]).map(({ id }) => id);
    expect(lost).toEqual([idOf(3)]);
  });
});

describe('with five regions', () => {
  const OTHERS = ['north', 'south', 'far'] as const;

  test('every command that looks at regions looks at all of them', async () => {
    const { regions, run } = await createCliHarness(...OTHERS);
    await regions.drive(regions.west.table.put(idOf(1), { email: 'one@example.com' }));
    await regions.settle();
    const { json: status } = await run('status');
    const seen = status['regions'] as { region: string; directions: { peer: string }[] }[];
    expect(seen.map(({ region }) => region)).toEqual(['east', 'west', ...OTHERS]);
    for (const { region, directions } of seen) {
      expect([region, ...directions.map(({ peer }) => peer)].toSorted()).toEqual(
        ['east', 'west', ...OTHERS].toSorted(),
      );
    }
    expect(await run('doctor')).toMatchObject({ code: 0, json: { findings: [] } });
    for (const region of ['east', ...OTHERS]) {
      expect(await run('config', 'check', '--region', region)).toMatchObject({ code: 0 });
    }
    const { json: history } = await run('history', idOf(1));
    expect(history['entries']).toMatchObject([{ archives: ['east', 'west', ...OTHERS] }]);
    const { json: drill } = await run('drill', '--region', 'east');
    expect(drill['prediction']).toMatchObject({ region: 'east' });
  });

  test('I2: rows that three of them lack are found, and given to these three', async () => {
    const { regions, run } = await createCliHarness(...OTHERS);
    await regions.drive(regions.west.table.put(idOf(1), { email: 'one@example.com' }));
    await regions.settle();
    for (const name of OTHERS) {
      const { store } = regions.regions.find(({ region }) => region === name)!;
      await emptyTable(store, customerKind.name);
    }
    const { code, json } = await run('verify');
    expect({ code, different: json['different'] }).toEqual({ code: 3, different: 1 });
    const repaired = await run('repair', '--apply');
    expect(repaired).toMatchObject({
      code: 0,
      json: { equal: true, written: { north: 1, south: 1, far: 1 } },
    });
    expect(await run('verify')).toMatchObject({ code: 0, json: { equal: true } });
  });

  test('one that is lost is filled from the other four', async () => {
    const { regions, run } = await createCliHarness(...OTHERS);
    await regions.drive(regions.east.table.put(idOf(1), { email: 'one@example.com' }));
    await regions.settle();
    for (const table of TABLES) await emptyTable(regions.west.store, table);
    const plan = await run('rebuild-region', 'west');
    expect(plan.json['from']).toEqual(['east', ...OTHERS]);
    expect(await run('rebuild-region', 'west', '--apply')).toMatchObject({ code: 0 });
    const { json } = await run('config', 'get', 'Peers', '--region', 'west');
    expect(json['settings']).toMatchObject([{ isSet: true, value: '(secret)' }]);
    expect(await run('verify')).toMatchObject({ code: 0 });
  });
});
