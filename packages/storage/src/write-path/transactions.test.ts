import {
  AppError,
  bucketOf,
  CHANGES_WITH_OUTBOX_MAX,
  DEFLATED_WIRE_VERSION,
  encodeVector,
  type FieldValue,
  type TableStore,
  TransientError,
} from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { OPERATIONS_PER_TRANSACTION_MAX, type TransactOperation } from '../replicated-table.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT, readRows } from '../testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from '../testing/two-regions.ts';

type Kind = typeof deviceKind;
type Operation = TransactOperation<Kind>;

/** Ids of one bucket. */
const IDS = Array.from({ length: 8_000 }, (_, index) => `id${index}`).filter(
  (id) => bucketOf(id, MEMORY_BUCKET_COUNT) === '00',
);
const [A = '', B = '', C = '', D = ''] = IDS;
const ELSEWHERE = Array.from({ length: 100 }, (_, index) => `x${index}`).find(
  (id) => bucketOf(id, MEMORY_BUCKET_COUNT) !== '00',
)!;

let regions: TwoRegions<Kind>;

beforeEach(async () => {
  regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
});

function put(entityId: string, label: string, condition?: Operation['condition']): Operation {
  return { kind: 'put', entityId, entity: { label }, condition };
}

function patch(entityId: string, label: string, condition?: Operation['condition']): Operation {
  return { kind: 'patch', entityId, changes: { label }, condition };
}

async function labels(table: TwoRegions<Kind>['east']['table'], ids: readonly string[]) {
  const found: (string | null | undefined)[] = [];
  for (const id of ids) found.push((await regions.drive(table.get(id)))?.entity.label);
  return found;
}

/** Takes being overtaken as often as a write is tried for what it is: nothing was done, and the caller is told so. */
function orContended(error: unknown): undefined {
  if (error instanceof AppError && error.code === 'WRITE_CONTENDED') return;
  throw error;
}

function text(value: string): FieldValue {
  return { type: 'String', value };
}

/** Holds the commits of the entities' table until it is released. */
function holdCommits() {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  regions.east.store.beforeCommit(() => held);
  return () => release();
}

describe('I20: a transaction', () => {
  test('is done whole, in one set, here and in the other region', async () => {
    const { east, west, drive } = regions;
    await drive(east.table.put(A, { label: 'old' }));
    const outcome = await drive(
      east.table.transact([patch(A, 'new'), put(B, 'new', { kind: 'absent' }), put(C, 'new')]),
    );
    expect(outcome).toMatchObject({
      kind: 'done',
      outcomes: [{ kind: 'replaced' }, { kind: 'created' }, { kind: 'created' }],
    });
    const { set } = east.committed.at(-1)!;
    expect(set.whole).toBe(true);
    expect(set.changes.map(({ entityId }) => entityId)).toEqual([A, B, C]);
    await regions.settle();
    expect(await labels(west.table, [A, B, C])).toEqual(['new', 'new', 'new']);
    const removed = await drive(
      east.table.transact([{ kind: 'remove', entityId: A }, patch(B, 'newer')]),
    );
    expect(removed).toMatchObject({ kind: 'done', outcomes: [{ kind: 'deleted' }, {}] });
    await regions.settle();
    expect(await labels(west.table, [A, B])).toEqual([undefined, 'newer']);
  });

  test.each([
    [
      'a condition',
      [put(A, 'x'), put(B, 'x', { kind: 'absent' }), put(C, 'x')],
      'condition-failed',
    ],
    ['an entity that is not there', [put(A, 'x'), patch(D, 'x'), put(C, 'x')], 'not-found'],
  ] as const)('is refused whole for %s of one, which is named', async (_, operations, kind) => {
    const { east, drive } = regions;
    await drive(east.table.put(B, { label: 'there' }));
    const outcome = await drive(east.table.transact(operations));
    expect(outcome).toMatchObject({ kind: 'refused', index: 1, outcome: { kind } });
    expect(await labels(east.table, [A, B, C, D])).toEqual([
      undefined,
      'there',
      undefined,
      undefined,
    ]);
    expect(east.committed).toHaveLength(1);
  });

  test('is decided again, whole, when another process changed one of its rows', async () => {
    const { east, drive } = regions;
    const ids = [A, B, C];
    await drive(east.table.transact(ids.map((id) => put(id, 'old'))));
    await drive(east.openTable().patch(B, { restarts: 7 }));
    await drive(east.table.transact(ids.map((id) => patch(id, 'new'))));
    expect(await labels(east.table, ids)).toEqual(['new', 'new', 'new']);
    expect((await east.table.get(B))?.entity.restarts).toBe(7);
    const { version } = (await east.table.get(C))!;
    await drive(east.openTable().patch(C, { restarts: 8 }));
    const versions = [encodeVector(version)];
    const refused = await drive(
      east.table.transact([patch(A, 'lost'), patch(C, 'lost', { kind: 'version', versions })]),
    );
    expect(refused).toMatchObject({ kind: 'refused', index: 1 });
    expect(await labels(east.table, ids)).toEqual(['new', 'new', 'new']);
  });

  test('takes its turn in the order of arrival, among others that cross it', async () => {
    const { east, clock, drive } = regions;
    const release = holdCommits();
    const first = east.table.put(A, { label: 'first' });
    await clock.advance(0);
    const writing: Promise<unknown>[] = [
      first,
      east.table.transact([put(B, 't1'), put(A, 't1')]),
      east.table.put(B, { label: 'single' }),
      east.table.transact([put(A, 't2'), put(C, 't2'), put(B, 't2')]),
      east.table.transact([put(C, 't3'), put(D, 't3')]),
      east.table.patch(A, { label: 'last' }),
    ];
    release();
    await drive(Promise.all(writing));
    expect(await labels(east.table, [A, B, C, D])).toEqual(['last', 't2', 't3', 't3']);
  });

  test('of two that were concurrent, the later wins on every field that both name', async () => {
    const { east, west, clock, drive } = regions;
    await drive(east.table.transact([put(A, 'same'), put(B, 'same')]));
    await regions.settle();
    await drive(west.table.transact([patch(A, 'west'), patch(B, 'west')]));
    await clock.advance(1_000);
    // It changes nothing of A as it stands here, and says of it nevertheless what it is.
    await drive(east.table.transact([patch(A, 'same'), patch(B, 'east')]));
    await regions.settle();
    for (const { table } of [east, west]) {
      expect(await labels(table, [A, B])).toEqual(['same', 'east']);
    }
  });

  test('that the store refuses is refused whole, and its company is served', async () => {
    const { east, drive } = regions;
    const outcomes = await drive(
      Promise.allSettled([
        east.table.put(C, { label: 'good' }),
        east.table.transact([put(A, 'good'), put(B, 'x'.repeat(40_000))]),
        east.table.put(D, { label: 'good' }),
      ]),
    );
    expect(outcomes).toMatchObject([
      { status: 'fulfilled' },
      {
        status: 'rejected',
        reason: { code: 'TABLE_LIMIT_EXCEEDED', message: expect.stringContaining('Operation 1') },
      },
      { status: 'fulfilled' },
    ]);
    expect(await labels(east.table, [A, B, C, D])).toEqual([undefined, undefined, 'good', 'good']);
  });

  test('whose answer is lost is acknowledged once, and happens once', async () => {
    const { east, west, drive } = regions;
    const error = new TransientError('TABLE_OUTCOME_UNKNOWN', 'The answer was lost.');
    east.store.failCommits([{ when: 'after', error }]);
    const outcome = await drive(east.table.transact([put(A, 'x'), put(B, 'x')]));
    expect(outcome.kind).toBe('done');
    await regions.settle();
    expect(await labels(west.table, [A, B])).toEqual(['x', 'x']);
    expect(await readRows(west, 'Devices')).toHaveLength(2);
  });

  test('that the store is down for is told so, with all who wait behind it', async () => {
    const { east, drive } = regions;
    await drive(east.table.transact([put(A, 'x'), put(B, 'x')]));
    east.store.setOutage(new TransientError('TABLE_UNAVAILABLE', 'The store is down.'));
    const outcomes = await drive(
      Promise.allSettled([
        east.table.transact([put(A, 'y'), put(B, 'y')]),
        east.table.transact([put(B, 'y'), put(C, 'y')]),
        east.table.put(C, { label: 'y' }),
      ]),
    );
    for (const one of outcomes) {
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'TABLE_UNAVAILABLE' } });
    }
    east.store.setOutage(undefined);
    const after = await drive(east.table.transact([put(A, 'z'), put(B, 'z'), put(C, 'z')]));
    expect(after.kind).toBe('done');
  });
});

describe('I19: a row of a transaction that nobody can read', () => {
  test('fails it and who waits for that row, and nobody who waits for another row of it', async () => {
    const { east, drive } = regions;
    await drive(east.table.transact([put(A, 'x'), put(B, 'x')]));
    const row = await east.store.get('Devices', '00', A);
    const properties = new Map([...row!.properties, ['_vector', text('nobody can read this')]]);
    await east.store.commit({
      table: 'Devices',
      partitionKey: '00',
      operations: [{ kind: 'upsert', rowKey: A, properties }],
    });
    const table = east.openTable();
    const outcomes = await drive(
      Promise.allSettled([
        table.transact([put(A, 'y'), put(B, 'y')]),
        table.put(A, { label: 'z' }),
        table.put(B, { label: 'z' }),
      ]),
    );
    const refused = { status: 'rejected', reason: { code: 'ROW_MALFORMED' } };
    expect(outcomes).toMatchObject([refused, refused, { status: 'fulfilled' }]);
    expect(await labels(table, [B])).toEqual(['z']);
  });
});

describe('a transaction that cannot be', () => {
  const many = Array.from({ length: 102 }, (_, index) => put(IDS[index]!, 'x'));

  test.each([
    ['of nothing', [], 'no operation'],
    ['of too many', many.slice(0, OPERATIONS_PER_TRANSACTION_MAX + 1), 'the limit is 100'],
    ['of an entity twice', [put(A, 'x'), put(B, 'x'), patch(A, 'y')], 'operations 0 and 2'],
    ['of two buckets', [put(A, 'x'), put(ELSEWHERE, 'x')], 'operation 1'],
  ] as const)('is refused before anything is written: %s', async (_, operations, text) => {
    const { east, drive } = regions;
    await expect(drive(east.table.transact(operations))).rejects.toMatchObject({
      code: 'TRANSACTION_INVALID',
      message: expect.stringContaining(text),
    });
    expect(await readRows(east, 'Devices')).toEqual([]);
  });

  test('is refused where another region could tear it; one operation goes', async () => {
    const east = { relaysAtOnce: false, wireVersion: DEFLATED_WIRE_VERSION };
    regions = await createTwoRegions(deviceKind, { east });
    const { table } = regions.east;
    await expect(regions.drive(table.transact([put(A, 'x'), put(B, 'x')]))).rejects.toMatchObject({
      code: 'TRANSACTION_INVALID',
      message: expect.stringMatching(/Messages\.WireVersion is 3.*Upgrade/),
    });
    const one = await regions.drive(table.transact([put(A, 'x')]));
    expect(one).toMatchObject({ kind: 'done', outcomes: [{ kind: 'created' }] });
    expect(regions.east.committed[0]?.set.whole).toBeUndefined();
  });
});

describe('transactions among singles', () => {
  test('starve nobody: a full one waits for what was ready before it, and singles go beside', async () => {
    const { east, clock, drive } = regions;
    const release = holdCommits();
    const order: string[] = [];
    const note = (name: string) => (): void => void order.push(name);
    // A create needs no read, so all of them are ready at once.
    const single = (count: number): Promise<void> =>
      east.table.put(IDS[count]!, { label: 'x' }, { kind: 'absent' }).then(note(`s${count}`));
    const writing = [single(0)];
    await clock.advance(0);
    for (let count = 1; count <= 150; count += 1) {
      writing.push(single(count));
    }
    const full = IDS.slice(200, 200 + CHANGES_WITH_OUTBOX_MAX).map((id) =>
      put(id, 'x', { kind: 'absent' }),
    );
    writing.push(east.table.transact(full).then(note('full')));
    for (let count = 400; count < 500; count += 1) {
      writing.push(single(count));
    }
    release();
    await drive(Promise.all(writing));
    const sizes = east.committed.map(({ set }) => set.changes.length);
    expect(sizes).toEqual([1, 99, 99, 99, 52]);
    expect(east.committed[3]?.set.whole).toBe(true);
    expect(order.indexOf('full')).toBeLessThan(order.indexOf('s499'));
  });

  test('a transaction that waits too long is told so, leaves its lines and is not done', async () => {
    const { east, clock, drive } = regions;
    const release = holdCommits();
    const first = east.table.put(A, { label: 'slow' });
    await clock.advance(0);
    const waiting = east.table.transact([put(B, 'late'), put(A, 'late')]);
    const behind = east.table.put(B, { label: 'behind' });
    const told = Promise.allSettled([first, waiting, behind]);
    await clock.advance(9_500);
    release();
    const [, late] = await drive(told);
    expect(late).toMatchObject({ status: 'rejected', reason: { code: 'TABLE_UNAVAILABLE' } });
    await clock.advance(60_000);
    expect((await labels(east.table, [A, B])).includes('late')).toBe(false);
    await expect(drive(east.table.transact([put(B, 'z'), put(A, 'z')]))).resolves.toMatchObject({
      kind: 'done',
    });
  });
});

/** Every interleaving of two processes over a store that loses answers leaves whole transactions. */
describe('two processes that write transactions at once, over a store that loses answers', () => {
  const step = fc.record({
    process: fc.nat(1),
    ids: fc.uniqueArray(fc.constantFrom(...IDS.slice(0, 6)), { minLength: 1, maxLength: 6 }),
    patches: fc.boolean(),
    fault: fc.constantFrom(undefined, undefined, 'before' as const, 'after' as const),
    pauseMs: fc.constantFrom(0, 0, 1, 50),
  });

  test('I20: each is whole in both regions at the end, and done exactly where it was told so', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(), async (steps, seed) => {
        const inner = createMemoryTableStore();
        // Fewer than a commit is tried: so each write is answered.
        let faults = steps.flatMap(({ fault }) => (fault === undefined ? [] : [fault])).slice(0, 6);
        const lost = (): never => {
          throw new TransientError('TABLE_OUTCOME_UNKNOWN', 'The answer was lost.');
        };
        const store: TableStore = {
          ...inner,
          async commit(transaction) {
            const fault = transaction.table === deviceKind.name ? faults.shift() : undefined;
            if (fault === 'before') lost();
            const outcome = await inner.commit(transaction);
            return fault === 'after' ? lost() : outcome;
          },
        };
        regions = await createTwoRegions(deviceKind, {
          seed,
          east: { relaysAtOnce: false, store },
        });
        const { east, west, clock, drive } = regions;
        const tables = [east.table, east.openTable()];
        const done: { readonly name: string; readonly ids: readonly string[] }[] = [];
        const writing = [];
        for (const [index, { process, ids, patches, pauseMs }] of steps.entries()) {
          const name = `t${index}`;
          const operations = ids.map((id) => (patches ? patch(id, name) : put(id, name)));
          const send = async (): Promise<void> => {
            const outcome = await tables[process]!.transact(operations).catch(orContended);
            if (outcome?.kind === 'done') done.push({ name, ids });
          };
          const sent = send();
          writing.push(sent);
          await clock.advance(pauseMs);
        }
        await drive(Promise.all(writing));
        faults = [];
        await regions.settle();
        const committed = new Map<string, readonly string[]>();
        for await (const set of east.archive.read({ entityKind: deviceKind.name, bucket: '00' })) {
          const names = Map.groupBy(set.changes, ({ state }) => {
            const label = state.fields.get('label')?.value;
            return label?.type === 'String' ? label.value : '';
          });
          for (const [name, changes] of names) {
            expect(committed.has(name)).toBe(false);
            committed.set(
              name,
              changes.map(({ entityId }) => entityId),
            );
          }
        }
        expect([...committed.keys()].toSorted()).toEqual(done.map(({ name }) => name).toSorted());
        for (const { name, ids } of done) {
          expect(committed.get(name)?.toSorted()).toEqual([...ids].toSorted());
        }
        expect(await readRows(west, deviceKind.name)).toHaveLength(
          (await readRows(east, deviceKind.name)).length,
        );
      }),
      { numRuns: 100 },
    );
  });
});
