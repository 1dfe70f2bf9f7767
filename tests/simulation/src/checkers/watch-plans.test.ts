import type { FieldValue, ReplayPlan, TableRow } from '@tandem/core';
import { ARCHIVE_TABLE } from '@tandem/storage';
import { beforeEach, describe, expect, test } from 'vitest';
import { createLedger } from '../observe/ledger.ts';
import type { Recovery } from '../operators/recovery-log.ts';
import { createWorld } from '../world/create-world.ts';
import { OUTBOX_PREFIX } from '../world/describe-transaction.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import { watchPlans } from './watch-plans.ts';

const BUCKET = '00';
const STAMP = '019b7aba9a9e-0000-east-a0n1';
const NOTHING: ReplayPlan = { changeSets: 0, same: 0, changes: [], unarchived: [] };

type Row = Pick<TableRow, 'rowKey' | 'properties'>;

let world: World;
let found: string[];

beforeEach(async () => {
  world = await createWorld({ seed: 1 });
  found = [];
  watchPlans({ world, ledger: createLedger(world) }, (checker) => void found.push(checker));
});

const text = (value: string): FieldValue => ({ type: 'String', value });

/** Someone writes the row of gadget-1. */
async function writeRow(region: string, site: string): Promise<void> {
  const stamps = JSON.stringify({ [STAMP]: ['label'] });
  const columns = { _vector: STAMP, _stamps: stamps, _alive: STAMP, label: 'new' };
  const properties = new Map(Object.entries(columns).map(([name, one]) => [name, text(one)]));
  const upsert = { kind: 'upsert', rowKey: 'gadget-1', properties } as const;
  const transaction = { table: gadgetKind.name, partitionKey: BUCKET, operations: [upsert] };
  await world.regionNamed(region).account.commit(transaction, site);
}

/** Columns of a set with a change of the entity, as outbox and archive have them. */
function columnsOf(entityId: string): Map<string, FieldValue> {
  const state = { fields: {}, alive: STAMP, vector: [STAMP] };
  const set = { stamp: STAMP, changes: [{ entityId, operation: 'replace', state }] };
  return new Map([['payload0', { type: 'Binary', value: Buffer.from(JSON.stringify(set)) }]]);
}

async function insert(region: string, table: string, row: Row, site: string): Promise<void> {
  const operations = [{ kind: 'insert', ...row } as const];
  const transaction = { table, partitionKey: BUCKET, operations };
  await world.regionNamed(region).account.commit(transaction, site);
}

/** Someone gives the archive a set with a change of that entity. */
function archive(region: string, entityId: string, site: string): Promise<void> {
  const row = { rowKey: STAMP, properties: columnsOf(entityId) };
  return insert(region, ARCHIVE_TABLE, row, site);
}

/** A client of east has written gadget-1. */
function commit(): Promise<void> {
  const row = { rowKey: `${OUTBOX_PREFIX}${STAMP}`, properties: columnsOf('gadget-1') };
  return insert('east', gadgetKind.name, row, 'write.commit.entity+outbox');
}

async function pass(): Promise<void> {
  await world.scheduler.runUntil(() => false, world.scheduler.nowMs() + 1_000);
}

/** What an operator's replay of the archive of east into west has announced: nothing to do. */
function planJoin(): Recovery {
  const command = { kind: 'replay-join', source: 'east', target: 'west', span: {} } as const;
  const recovery = world.recoveries.begin(command, world.scheduler.nowMs());
  recovery.planStartMs = world.scheduler.nowMs();
  recovery.plan = { kind: 'replay-join', target: 'west', plan: NOTHING };
  return recovery;
}

const joinAs = ({ id }: Recovery): string => `replay-join.commit.entity@${id}`;

const state = { fields: new Map(), alive: STAMP, deleted: undefined, vector: new Map() };
const change = { bucket: BUCKET, entityId: 'gadget-1', state } as unknown;
const plan: ReplayPlan = { ...NOTHING, changes: [change as ReplayPlan['changes'][number]] };

describe('I19: what a replay that joins writes beyond its plan', () => {
  test('is untrue', async () => {
    await writeRow('west', joinAs(planJoin()));
    expect(found).toEqual(['plan-untrue']);
  });

  test('is untrue when its archive had the change before the plan was begun', async () => {
    await archive('east', 'gadget-1', 'sweep.commit.archive');
    await pass();
    await writeRow('west', joinAs(planJoin()));
    expect(found).toEqual(['plan-untrue']);
  });

  test('is true when a run before had planned it, whose write came late', async () => {
    const recovery = planJoin();
    recovery.formerPlans.push({ kind: 'replay-join', target: 'west', plan });
    await writeRow('west', joinAs(recovery));
    expect(found).toEqual([]);
  });

  test('is true when the sweep gave its archive the change since', async () => {
    const recovery = planJoin();
    await archive('east', 'gadget-1', 'sweep.commit.archive');
    await writeRow('west', joinAs(recovery));
    expect(found).toEqual([]);
  });

  test.each([
    ['the archive of another region', 'west', 'gadget-1', 'sweep.commit.archive'],
    ['a change of another entity', 'east', 'gadget-2', 'sweep.commit.archive'],
    ['its own', 'east', 'gadget-1', 'replay-join.commit.archive@recovery0'],
  ])('is untrue when what came since is %s', async (_, region, entityId, site) => {
    const recovery = planJoin();
    await archive(region, entityId, site);
    await writeRow('west', joinAs(recovery));
    expect(found).toEqual(['plan-untrue']);
  });
});

describe('I19: what a replay that joins has planned and leaves undone', () => {
  test('is told of, whatever came into its archive since', async () => {
    const recovery = planJoin();
    recovery.plan = { kind: 'replay-join', target: 'west', plan };
    await archive('east', 'gadget-1', 'sweep.commit.archive');
    world.recoveries.done(recovery, { kind: 'replayed' });
    expect(found).toContain('plan-undone');
  });

  test('is not to be done when the store lost it out of the archive', async () => {
    await commit();
    await archive('east', 'gadget-1', 'sweep.commit.archive');
    await pass();
    const recovery = planJoin();
    recovery.plan = { kind: 'replay-join', target: 'west', plan };
    await world.regionNamed('east').account.lose(ARCHIVE_TABLE, BUCKET, STAMP);
    world.recoveries.done(recovery, { kind: 'replayed' });
    expect(found).toEqual([]);
  });
});
