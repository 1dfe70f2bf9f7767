import {
  encodeVector,
  newestStamp,
  type Stamp,
  type StoredRow,
  type TableStore,
  type Transaction,
  TransientError,
  toFieldValues,
  type Write,
  writeEntity,
} from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ReplicatedTable, WriteCondition, WriteOutcome } from '../replicated-table.ts';
import { fromEntityProperties } from '../rows/entity-row.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { createTwoRegions } from '../testing/two-regions.ts';
import { decideWrite } from './decide-write.ts';

/**
 * Any interleaving of writers gives what some serial order gives: every answer is that of a moment
 * between the asking and the answer, on the states that the row went through.
 */
type Kind = typeof deviceKind;
/** One to four letters of one bucket or several: it does not matter which. */
const IDS = ['a', 'b', 'c', 'e', 'i', 'm'];

const writeStep = fc.record({
  writer: fc.nat(1),
  id: fc.constantFrom(...IDS),
  kind: fc.constantFrom('put', 'patch', 'remove'),
  label: fc.constantFrom('x', 'y', 'z'),
  condition: fc.constantFrom('none', 'none', 'none', 'absent', 'present', 'seen'),
});
type WriteStep = typeof writeStep extends fc.Arbitrary<infer T> ? T : never;

const UNKNOWN = new TransientError('TABLE_OUTCOME_UNKNOWN', 'The answer was lost.');
interface CommitFault {
  readonly when: 'before' | 'after';
  readonly error: Error;
}
const fault: fc.Arbitrary<CommitFault | undefined> = fc.constantFrom(
  undefined,
  { when: 'before', error: UNKNOWN },
  { when: 'after', error: UNKNOWN },
  { when: 'before', error: new TransientError('TABLE_THROTTLED', 'Too often.') },
);

/** Knows the states of every row, from nothing on, and fails as it is told to. */
function createRecordingStore(inner: TableStore) {
  let faults: (CommitFault | undefined)[] = [];
  const history = new Map<string, (StoredRow | undefined)[]>();
  const of = (id: string): (StoredRow | undefined)[] => {
    const states = history.get(id) ?? [undefined];
    history.set(id, states);
    return states;
  };
  const store: TableStore = {
    ...inner,
    async commit(transaction) {
      if (transaction.table !== deviceKind.name) return inner.commit(transaction);
      const fault = faults.shift();
      if (fault?.when === 'before') throw fault.error;
      const outcome = await inner.commit(transaction);
      if (outcome.kind === 'committed') record(transaction);
      if (fault !== undefined) throw fault.error;
      return outcome;
    },
  };
  const record = ({ operations }: Transaction): void => {
    for (const operation of operations) {
      if (operation.kind === 'delete' || operation.rowKey.startsWith('~')) continue;
      const state = fromEntityProperties(operation.properties);
      of(operation.rowKey).push({ entityId: operation.rowKey, etag: '', ...state });
    }
  };
  return { store, of, fail: (next: readonly (CommitFault | undefined)[]) => (faults = [...next]) };
}

interface Done {
  readonly id: string;
  readonly write: Write;
  readonly condition: WriteCondition | undefined;
  readonly states: readonly (StoredRow | undefined)[];
  readonly from: number;
  readonly to: number;
  readonly outcome: WriteOutcome<Kind>;
}

function stampOf(row: StoredRow | undefined): Stamp | undefined {
  return row && newestStamp(row.state.vector);
}

/** Throttled too often in a row: nothing was done, or the count of changes at the end is wrong. */
function notDone(error: unknown): undefined {
  if (!(error instanceof TransientError) || error.code !== 'TABLE_THROTTLED') throw error;
}

/** The moments at which the answer would have been right. */
function explanationsOf(done: Done): number[] {
  const { write, condition, states, outcome } = done;
  const moments = Array.from({ length: done.to - done.from + 1 }, (_, index) => done.from + index);
  return moments.filter((moment) => {
    const stored = states[moment];
    const decision = decideWrite(write, stored, { condition, policy: deviceKind.policy });
    if (decision.kind !== 'write') return decision.kind === outcome.kind;
    const next = states[moment + 1];
    const stamp = stampOf(next);
    if (next === undefined || stamp === undefined || moment === done.to) return false;
    const expected = {
      create: 'created',
      replace: 'replaced',
      patch: 'replaced',
      delete: 'deleted',
    };
    if (expected[decision.operation] !== outcome.kind) return false;
    if ('record' in outcome && newestStamp(outcome.record.version) !== stamp) return false;
    const state = writeEntity(write, { stored: stored?.state, stamp, policy: deviceKind.policy });
    return encodeVector(state.vector) === encodeVector(next.state.vector);
  });
}

function send(table: ReplicatedTable<Kind>, one: WriteStep, condition: WriteCondition | undefined) {
  if (one.kind === 'remove') return table.remove(one.id, condition);
  const entity = { label: one.label };
  return one.kind === 'put'
    ? table.put(one.id, entity, condition)
    : table.patch(one.id, entity, condition);
}

function toWrite(one: WriteStep): Write {
  if (one.kind === 'remove') return { kind: 'delete' };
  const values = toFieldValues(deviceKind, { label: one.label });
  return { kind: one.kind === 'put' ? 'put' : 'patch', values };
}

describe('two processes writing at once, over a store that loses answers', () => {
  const scenario = fc.record({
    rounds: fc.array(
      fc.record({
        writes: fc.array(writeStep, { maxLength: 12 }),
        faults: fc.array(fault, { maxLength: 4 }),
      }),
      { maxLength: 6 },
    ),
    seed: fc.nat(),
  });

  test('I1: answer as some serial order would, and archive each change exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ rounds, seed }) => {
        const recording = createRecordingStore(createMemoryTableStore());
        const regions = await createTwoRegions(deviceKind, {
          seed,
          east: { relaysAtOnce: false, store: recording.store },
        });
        const { east, clock, drive } = regions;
        const tables = [east.table, east.openTable()];
        const done: Done[] = [];
        for (const { writes, faults } of rounds) {
          recording.fail(faults);
          const sending = writes.map(async (one) => {
            const states = recording.of(one.id);
            const from = states.length - 1;
            const seen = states.at(-1);
            const condition: WriteCondition | undefined =
              one.condition === 'none'
                ? undefined
                : one.condition === 'seen'
                  ? {
                      kind: 'version',
                      versions: seen ? [encodeVector(seen.state.vector)] : ['none'],
                    }
                  : { kind: one.condition };
            const outcome = await send(tables[one.writer]!, one, condition).catch(notDone);
            if (outcome === undefined) return;
            done.push({
              id: one.id,
              write: toWrite(one),
              condition,
              states,
              from,
              to: states.length - 1,
              outcome,
            });
          });
          await clock.advance(0);
          await drive(Promise.all(sending));
        }
        recording.fail([]);
        for (const one of done) expect(explanationsOf(one)).not.toEqual([]);
        await regions.settle();
        const archived: Stamp[] = [];
        for (const bucket of east.outbox.buckets) {
          for await (const set of east.archive.read({ entityKind: deviceKind.name, bucket })) {
            for (const { entityId } of set.changes)
              archived.push(`${set.stamp}/${entityId}` as Stamp);
          }
        }
        const committed = IDS.flatMap((id) =>
          recording.of(id).flatMap((row) => (row ? [`${stampOf(row)}/${id}`] : [])),
        );
        expect(archived.toSorted()).toEqual(committed.toSorted());
        const acknowledged = done.filter(({ outcome }) =>
          ['created', 'replaced', 'deleted'].includes(outcome.kind),
        );
        expect(acknowledged).toHaveLength(committed.length);
      }),
      { numRuns: 200 },
    );
  });
});
