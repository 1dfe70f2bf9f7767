import type { FieldValue } from '@tandem/core';
import { beforeEach, describe, expect, test } from 'vitest';
import { createHistory, type History } from '../clients/history.ts';
import { rawGadgetOf } from '../clients/values.ts';
import { createLedger, type Ledger } from '../observe/ledger.ts';
import { createWorld } from '../world/create-world.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import { writtenTwice } from './written-twice.ts';

const BUCKET = '00';
const ENTITY = 'gadget-1';
const EARLIER = '019b7aba9a9e-0000-east-a0n1';
const LATER = '019b7aba9b00-0000-east-a0n1';
const STEP_MS = 100;

let world: World;
let ledger: Ledger;
let history: History;

async function createRun(policy: 'field' | 'row'): Promise<void> {
  const drawn = await createWorld({ seed: 1 });
  world = { ...drawn, plan: { ...drawn.plan, policy } };
  ledger = createLedger(world);
  history = createHistory();
  history.begin({
    id: 1,
    client: 0,
    region: 'east',
    writer: 'a0n1',
    entityId: ENTITY,
    entityIds: [ENTITY],
    kind: 'put',
    fields: ['label'],
    condition: 'none',
    startMs: 0,
    endMs: 0,
    outcome: { kind: 'pending' },
    hadStoreFault: false,
    wasPaused: false,
    cameInPause: false,
  });
}

const account = () => world.regionNamed('east').account;

/** The request is written in east. */
async function write(stamp: string): Promise<void> {
  await world.scheduler.runUntil(() => false, world.scheduler.nowMs() + STEP_MS);
  const state = {
    fields: { label: [stamp, rawGadgetOf(1).label] },
    alive: stamp,
    base: stamp,
    vector: [stamp],
  };
  const set = { stamp, changes: [{ entityId: ENTITY, operation: 'create', state }] };
  const properties = new Map<string, FieldValue>([
    ['payload0', { type: 'Binary', value: Buffer.from(JSON.stringify(set)) }],
  ]);
  const insert = { kind: 'insert', rowKey: `~o~${stamp}`, properties } as const;
  const transaction = { table: gadgetKind.name, partitionKey: BUCKET, operations: [insert] };
  await account().commit(transaction, 'write.commit.entity+outbox');
}

async function loseRow(): Promise<void> {
  await world.scheduler.runUntil(() => false, world.scheduler.nowMs() + STEP_MS);
  await account().lose(gadgetKind.name, BUCKET, ENTITY);
}

const found = (): readonly string[] =>
  writtenTwice.check({ world, ledger, history } as Parameters<typeof writtenTwice.check>[0]);

describe.each(['field', 'row'] as const)('I3: with the policy %s a request', (policy) => {
  beforeEach(() => createRun(policy));

  test('is written once', async () => {
    await write(LATER);
    expect(found()).toEqual([]);
  });

  test('is not written twice', async () => {
    await write(EARLIER);
    await write(LATER);
    expect(found()).toHaveLength(1);
  });

  test('is not written twice, its first try late, while its row stays', async () => {
    await loseRow();
    await write(LATER);
    await write(EARLIER);
    await loseRow();
    expect(found()).toHaveLength(1);
  });

  test('is written twice where its store lost the row that held its first try back', async () => {
    await write(LATER);
    await loseRow();
    await write(EARLIER);
    await loseRow();
    expect(found()).toEqual([]);
  });

  test('is not written anew because a row was lost', async () => {
    await write(EARLIER);
    await loseRow();
    await write(LATER);
    expect(found()).toHaveLength(1);
  });
});
