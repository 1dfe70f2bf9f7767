import { type EntityState, formatStamp, type PlannedReplay } from '@tandem/core';
import { expect, test } from 'vitest';
import type { ReplicatedTable, WriteCondition, WriteOutcome } from '../replicated-table.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { restoreEntities, restoringTyped } from './restore.ts';

const STAMP = formatStamp({ timeMs: 1, counter: 0, region: 'east', writer: 'w' });
const STATE: EntityState = {
  fields: new Map([['label', { stamp: STAMP, value: { type: 'String', value: 'then' } }]]),
  alive: STAMP,
  deleted: undefined,
  vector: new Map([['east', STAMP]]),
};

type Life = 'alive' | 'deleted' | 'absent';

function plannedOf(entityId: string, now: Life, then: Life): PlannedReplay {
  const seen = new Map([
    ['now', { life: now, version: '' }],
    ['then', { life: then, version: '' }],
  ]);
  return {
    bucket: '00',
    entityId,
    state: then === 'absent' ? undefined : STATE,
    version: now === 'absent' ? undefined : `version of ${entityId}`,
    difference: {
      bucket: '00',
      entityId,
      regions: Object.fromEntries(seen),
      fields: [],
      behind: [],
    },
  };
}

/** A table whose writes of the entities that are named find them changed. */
function createTable(changed: readonly string[] = []) {
  const calls: unknown[][] = [];
  let [atOnce, atOnceMax] = [0, 0];
  const write = async (...call: unknown[]): Promise<WriteOutcome<typeof deviceKind>> => {
    calls.push(call);
    atOnce += 1;
    atOnceMax = Math.max(atOnceMax, atOnce);
    await Promise.resolve();
    atOnce -= 1;
    const kind = changed.includes(String(call[1])) ? 'condition-failed' : 'written';
    return { kind } as WriteOutcome<typeof deviceKind>;
  };
  const table = restoringTyped(deviceKind, {
    put: (id: string, entity: unknown, condition: WriteCondition) =>
      write('put', id, entity, condition),
    remove: (id: string, condition: WriteCondition) => write('remove', id, condition),
  } as unknown as ReplicatedTable<typeof deviceKind>);
  return { table, calls, atOnceMax: () => atOnceMax };
}

test('each entity becomes what it was, on the version that the plan was made on', async () => {
  const { table, calls } = createTable(['was written']);
  const changes = [
    plannedOf('changes', 'alive', 'alive'),
    plannedOf('comes back', 'deleted', 'alive'),
    plannedOf('was never there', 'absent', 'alive'),
    plannedOf('goes', 'alive', 'deleted'),
    plannedOf('goes without a trace', 'alive', 'absent'),
    plannedOf('was written', 'alive', 'alive'),
  ];
  // No progress and no signal is asked for here.
  expect(await restoreEntities(changes, { table })).toEqual({
    written: 3,
    changed: 1,
    deleted: 2,
    leftAlone: ['was written'],
  });
  const then = expect.objectContaining({ label: 'then' });
  const onVersion = (id: string) => ({ kind: 'version', versions: [`version of ${id}`] });
  expect(calls).toEqual([
    ['put', 'changes', then, onVersion('changes')],
    ['put', 'comes back', then, { kind: 'absent' }],
    ['put', 'was never there', then, { kind: 'absent' }],
    ['remove', 'goes', onVersion('goes')],
    ['remove', 'goes without a trace', onVersion('goes without a trace')],
    ['put', 'was written', then, onVersion('was written')],
  ]);
});

test('a hundred are written at once, and none after it is stopped', async () => {
  const changes = Array.from({ length: 205 }, (_, n) => plannedOf(`d${n}`, 'absent', 'alive'));
  const { table, atOnceMax } = createTable();
  const told: number[] = [];
  const onProgress = (done: number) => void told.push(done);
  const parts = { table, onProgress };
  expect(await restoreEntities(changes, parts)).toMatchObject({ written: 205, leftAlone: [] });
  expect([told, atOnceMax()]).toEqual([[100, 200, 205], 100]);
  const stop = new AbortController();
  const stopped = createTable();
  const restoring = restoreEntities(changes, {
    table: stopped.table,
    signal: stop.signal,
    onProgress: () => stop.abort(),
  });
  await expect(restoring).rejects.toMatchObject({ name: 'AbortError' });
  expect(stopped.calls).toHaveLength(100);
});
