import {
  bucketOf,
  type ChangeSet,
  type EntityKind,
  encodeChangeSet,
  formatStamp,
  type PeerProgress,
  rowsKind,
  type TableStore,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
  driveVirtualTime,
} from '@tandem/core/memory';
import {
  ARCHIVE_TABLE,
  createTableArchive,
  REPLICATION_TABLE,
  type SettingValue,
  type tandemSettings,
} from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { recordLog } from '../../testing/record-log.ts';
import { createRetentionDuty } from './retention-duty.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 5, 1);

type Settings = { [N in keyof typeof tandemSettings]?: SettingValue<(typeof tandemSettings)[N]> };

interface Given {
  readonly peer?: Partial<PeerProgress>;
  readonly kinds?: readonly EntityKind[];
}

async function setUp(
  given: Settings,
  { peer = { allAppliedMs: NOW_MS }, kinds = [customerKind] }: Given = {},
) {
  const store: TableStore = createMemoryTableStore();
  for (const table of [ARCHIVE_TABLE, REPLICATION_TABLE]) await store.createTable(table);
  const sets = [9, 8, 7, 1].map((days) => setOf(NOW_MS - days * DAY_MS));
  const archive = createTableArchive({ store });
  await archive.append(sets.map((set) => ({ set, encoded: encodeChangeSet(set) })));
  const log = recordLog();
  const clock = createVirtualClock(NOW_MS);
  const trimmed: [string, number][] = [];
  let holdsLease = true;
  const get = (name: keyof typeof tandemSettings): never =>
    (name === 'Retention.PromiseMs' ? 7 * DAY_MS : given[name]) as never;
  const duty = createRetentionDuty({
    clock,
    randomness: createSeededRandomness(1),
    logger: log.logger,
    store,
    kinds,
    opened: {
      configuration: { get },
      settings: {
        rowsBucketCount: 2,
        bucketCount: 1,
        peers: [{ region: 'west' } as never],
        tombstoneAgeMs: 90 * DAY_MS,
        driftMsMax: 60_000,
      },
    },
    status: {
      read: async () => ({
        heartbeatMs: NOW_MS,
        catchingUpSinceMs: undefined,
        hasBacklog: false,
        peers: [{ peer: 'west', passedMs: NOW_MS, isReachable: true, ...peer }],
      }),
    },
    retentionLease: { acquire: async () => holdsLease, release: async () => undefined },
    activity: { noteTrimmed: ({ table, rows }) => void trimmed.push([table, rows]) },
  });
  return {
    log,
    store,
    trimmed,
    loseLease: () => void (holdsLease = false),
    turn: () => driveVirtualTime(clock, duty.turn(new AbortController().signal)),
  };
}

function setOf(timeMs: number): ChangeSet {
  const stamp = formatStamp({ timeMs, counter: 0, region: 'east', writer: 'w' });
  const state = {
    fields: new Map(),
    alive: stamp,
    deleted: undefined,
    vector: new Map([['east', stamp]]),
  };
  const entityKind = customerKind.name;
  const changes = [{ entityId: 'a', operation: 'replace' as const, state }];
  return { entityKind, bucket: bucketOf('a', 1), stamp, changes };
}

describe('the duty of retention', () => {
  test('keeps everything where nothing is set', async () => {
    const { turn, trimmed, log } = await setUp({});
    await turn();
    expect([trimmed, log.lines]).toEqual([[], []]);
  });

  test('trims by the settings of now, and counts and logs what went', async () => {
    const { turn, trimmed, log } = await setUp({ 'Archive.KeepMs': 7.5 * DAY_MS });
    await turn();
    expect(trimmed).toEqual([['Archive', 1]]);
    expect(log.of('retention-trimmed')).toMatchObject([
      { entityKind: 'Customers', rows: 1, horizonMs: NOW_MS - 7.5 * DAY_MS },
    ]);
  });

  test('keeps at least what is promised, whatever the size', async () => {
    const promise = { 'Archive.KeepMib': 1, 'Archive.KeepMs': DAY_MS };
    const { turn, log } = await setUp(promise);
    await turn();
    expect(log.of('retention-trimmed')).toMatchObject([{ horizonMs: NOW_MS - 7 * DAY_MS }]);
  });

  test('I22: says so and trims nothing before every peer has said what it has', async () => {
    const { turn, trimmed, log } = await setUp({ 'Archive.KeepMs': DAY_MS }, { peer: {} });
    await turn();
    expect(trimmed).toEqual([['Archive', 0]]);
    expect(log.of('retention-waits')).toHaveLength(1);
  });

  test('trims the other kinds where a person must mend the horizon of one, and names its row', async () => {
    const kinds = [rowsKind, customerKind];
    const { turn, trimmed, store } = await setUp({ 'Archive.KeepMs': 7.5 * DAY_MS }, { kinds });
    await store.commit({
      table: ARCHIVE_TABLE,
      partitionKey: '~horizon',
      operations: [{ kind: 'upsert', rowKey: rowsKind.name, properties: new Map() }],
    });
    await expect(turn()).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
      message: expect.stringContaining(`~horizon/${rowsKind.name}`) as unknown,
    });
    expect(trimmed).toEqual([['Archive', 1]]);
  });

  test('leaves the tables to whoever has the lease', async () => {
    const { turn, trimmed, loseLease } = await setUp({ 'Archive.KeepMs': DAY_MS });
    loseLease();
    await turn();
    expect(trimmed).toEqual([]);
  });
});
