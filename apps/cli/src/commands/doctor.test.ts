import { TerminalError, TransientError } from '@tandem/core';
import {
  CONFIGURATION_TABLE,
  createTableRegionHold,
  createTableReplicationStatus,
} from '@tandem/storage';
import { MEMORY_TOMBSTONE_AGE_MS } from '@tandem/storage/testing';
import { expect, test } from 'vitest';
import { type CliHarness, type CliRun, createCliHarness } from '../testing/cli-harness.ts';

interface Found {
  readonly region: string;
  readonly check: string;
  readonly finding: string;
  readonly remedy: string;
}

function findingsOf({ json }: CliRun): readonly Found[] {
  return json['findings'] as readonly Found[];
}

async function examine(spoil: (harness: CliHarness) => Promise<unknown>): Promise<CliRun> {
  const harness = await createCliHarness();
  await spoil(harness);
  return harness.run('doctor');
}

test('tandem doctor finds nothing where all is well', async () => {
  const run = await examine(async () => undefined);
  expect(run).toMatchObject({ code: 0, json: { findings: [] } });
});

test.each<[string, string, (harness: CliHarness) => Promise<unknown>]>([
  [
    'storage',
    'up',
    async ({ regions }) => {
      regions.west.store.setOutage(new TransientError('TABLE_UNAVAILABLE', 'West is down.'));
    },
  ],
  [
    'storage',
    'Storage Table Data Contributor',
    async ({ regions }) => {
      regions.west.store.setOutage(new TerminalError('TABLE_FORBIDDEN', 'No rights in west.'));
    },
  ],
  [
    'settings',
    'config set',
    async ({ regions }) => {
      const properties = new Map([['value', { type: 'String' as const, value: 'west' }]]);
      const operations = [{ kind: 'upsert' as const, rowKey: 'Peer.Region', properties }];
      const table = CONFIGURATION_TABLE;
      await regions.west.store.commit({ table, partitionKey: table, operations });
    },
  ],
  [
    'hold',
    'rebuild-region west',
    ({ regions }) =>
      createTableRegionHold(regions.west).set({ reason: 'A table was gone.', sinceMs: 0 }),
  ],
  [
    'clock',
    'NTP',
    ({ regions }) =>
      createTableReplicationStatus(regions.west).beat({
        nowMs: regions.clock.nowMs() + 60_000,
        catchingUpSinceMs: undefined,
        hasBacklog: false,
        peers: [],
      }),
  ],
  [
    'queue',
    'dead-letters list',
    async ({ regions }) => {
      const body = new TextEncoder().encode('poison');
      await regions.bus
        .publisherFor('west', 'west')
        .publish([{ messageId: 'p', subject: 'change-set', body }]);
      await regions.drive(regions.west.replicator.receiveOnce(new AbortController().signal));
    },
  ],
])(
  'tandem doctor finds trouble with %s, and names the remedy: %s',
  async (check, remedy, spoil) => {
    const run = await examine(spoil);
    expect(run.code).toBe(3);
    const found = findingsOf(run).filter((one) => one.region === 'west');
    expect(found.map((one) => one.check)).toContain(check);
    expect(found.find((one) => one.check === check)?.remedy).toContain(remedy);
  },
);

test('tandem doctor compares the regions with each other', async () => {
  const run = await examine(({ run: set }) =>
    set('config', 'set', 'Tombstone.AgeMs', '86400000', '--region', 'west', '--apply'),
  );
  expect(findingsOf(run)).toMatchObject([{ region: 'all', check: 'tombstone ages' }]);
});

test('B5: tandem doctor compares settings by what they mean, not by how they are written', async () => {
  const { run } = await createCliHarness();
  const set = (region: string, text: string) =>
    run('config', 'set', 'Tombstone.AgeMs', text, '--region', region, '--apply');
  await set('west', String(MEMORY_TOMBSTONE_AGE_MS));
  expect(await run('doctor')).toMatchObject({ code: 0, json: { findings: [] } });
  await set('east', `0${MEMORY_TOMBSTONE_AGE_MS}`);
  expect(await run('doctor')).toMatchObject({ code: 0, json: { findings: [] } });
  await set('east', String(MEMORY_TOMBSTONE_AGE_MS + 1));
  expect(await run('doctor')).toMatchObject({ code: 3 });
});

test('tandem doctor tells what is unlike in a queue, and that one is missing', async () => {
  const { runWith } = await createCliHarness();
  const difference = { property: 'maxDeliveryCount', expected: '2000', actual: '10' };
  const unlike = await runWith({ inspectQueue: async () => [difference] }, '--json', 'doctor');
  expect(findingsOf(unlike)[0]).toMatchObject({ finding: 'maxDeliveryCount is 10' });
  const missing = await runWith({ inspectQueue: async () => undefined }, 'doctor');
  expect(missing.out).toContain('there is no queue');
});
