import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findEntityFault, toAllFieldValues, toEntity } from '../entity-kind/entity-fields.ts';
import { type EntityState, isAlive, latestStamp } from '../state/entity-state.ts';
import { mergeStates } from '../state/merge.ts';
import { writeEntity } from '../state/write-entity.ts';
import { formatStamp } from '../time/stamp.ts';
import {
  type CatalogRecord,
  catalogKind,
  readRecordId,
  recordIdOf,
  tableKeyOf,
} from './catalog-kind.ts';
import {
  currentTable,
  decideCreate,
  decideDelete,
  decideRestore,
  findPurgeable,
  findPurged,
  readCatalogue,
  type StoredRecord,
  type TableGeneration,
  type TableSettings,
  toCreation,
  toDeletion,
} from './decide-catalogue.ts';

const KEY = 'orders';
const KEEP_MS = 1_000;

/** The rules that are under trial: those of the product, or some with a known bug. */
interface Rules {
  readonly currentTable: typeof currentTable;
  readonly decideCreate: typeof decideCreate;
  readonly decideDelete: typeof decideDelete;
  readonly decideRestore: typeof decideRestore;
  readonly findPurgeable: typeof findPurgeable;
}

const RULES: Rules = { currentTable, decideCreate, decideDelete, decideRestore, findPurgeable };

/** One region's records, written and merged by the rules of every entity. */
class Region {
  readonly states = new Map<string, EntityState>();
  readonly #name: string;
  #counter = 0;
  skewMs: number;

  readonly #rules: Rules;

  constructor(name: string, skewMs: number, rules = RULES) {
    this.#rules = rules;
    this.#name = name;
    this.skewMs = skewMs;
  }

  generations(): readonly TableGeneration[] {
    const records = [...this.states].flatMap(([entityId, state]) =>
      isAlive(state) ? [{ entityId, entity: toEntity(catalogKind, state) }] : [],
    );
    return readCatalogue(records).get(KEY) ?? [];
  }

  /** As the replicated table does with the condition that there is none. */
  put(entityId: string, record: Partial<CatalogRecord>, nowMs: number): void {
    const stored = this.states.get(entityId);
    if (stored !== undefined) return;
    this.#counter += 1;
    const stamp = formatStamp({
      timeMs: nowMs + this.skewMs,
      counter: this.#counter,
      region: this.#name,
      writer: 'w',
    });
    expect((stored && latestStamp(stored)) ?? '').not.toBe(stamp);
    const values = toAllFieldValues(catalogKind, record);
    const write = { kind: 'put', values, keeps: catalogKind.keptFields } as const;
    this.states.set(entityId, writeEntity(write, { stored, stamp, policy: catalogKind.policy }));
  }

  receive(entityId: string, state: EntityState): void {
    const stored = this.states.get(entityId);
    this.states.set(entityId, stored === undefined ? state : mergeStates(stored, state));
  }

  create(nowMs: number, settings: TableSettings = {}): TableGeneration {
    const decision = this.#rules.decideCreate('Orders', settings, this.generations());
    if (decision.kind === 'exists') return decision.table;
    this.put(
      recordIdOf(KEY, decision.generation, 'creation'),
      toCreation('Orders', settings, { nowMs }),
      nowMs,
    );
    return this.current()!;
  }

  current(): TableGeneration | undefined {
    return this.#rules.currentTable(this.generations());
  }

  delete(nowMs: number): readonly number[] {
    const ended = this.#rules.decideDelete(this.generations());
    for (const one of ended) {
      const { entityId, entity } = toDeletion(one, nowMs);
      this.put(entityId, entity, nowMs);
    }
    return ended.map(({ generation }) => generation);
  }

  /** Returns the generation whose rows it is to show. */
  restore(nowMs: number): number {
    const asked = { nowMs, keepMs: KEEP_MS };
    const generations = this.generations();
    const { generation, from, rowsOf } = this.#rules.decideRestore('Orders', generations, asked);
    const record = toCreation('Orders', { policy: from.policy }, { nowMs, rowsOf });
    this.put(recordIdOf(KEY, generation, 'creation'), record, nowMs);
    return from.rowsOf;
  }
}

const NAMES = ['east', 'west', 'north'];

type Step =
  | { readonly kind: 'create' | 'delete' | 'restore'; readonly region: number }
  | { readonly kind: 'deliver'; readonly which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constantFrom(
      'create' as const,
      'create' as const,
      'delete' as const,
      'restore' as const,
    ),
    region: fc.nat(2),
  }),
  fc.record({ kind: fc.constant('deliver' as const), which: fc.nat(1_000) }),
);

interface Sent {
  readonly to: number;
  readonly entityId: string;
  readonly state: EntityState;
}

/** Regions, and what is under way between them. */
class World {
  readonly regions: readonly Region[];
  readonly underWay: Sent[] = [];
  /** Every generation whose deletion was answered anywhere. */
  readonly ended = new Set<number>();
  /** What went wrong, in words. */
  readonly faults: string[] = [];
  readonly #seenEnded: readonly Set<number>[];
  readonly #rules: Rules;

  constructor(count: number, skews: readonly number[], rules: Rules) {
    this.#rules = rules;
    this.regions = NAMES.slice(0, count).map(
      (name, index) => new Region(name, skews[index] ?? 0, rules),
    );
    this.#seenEnded = this.regions.map(() => new Set<number>());
  }

  perform(step: Step, nowMs: number): void {
    if (step.kind === 'deliver') {
      this.deliver(step.which);
      return;
    }
    const index = step.region % this.regions.length;
    const region = this.regions[index]!;
    const before = new Map(region.states);
    this.#act(step.kind, region, nowMs);
    for (const [entityId, state] of region.states) {
      if (before.get(entityId) === state) continue;
      for (const to of this.regions.keys()) {
        if (to !== index) this.underWay.push({ to, entityId, state });
      }
    }
    this.#check(index);
  }

  #act(kind: 'create' | 'delete' | 'restore', region: Region, nowMs: number): void {
    const current = region.current();
    const created = region.generations().some(({ createdMs }) => createdMs !== undefined);
    if (kind === 'restore' && (current !== undefined || !created)) return;
    if (kind === 'create') {
      const table = region.create(nowMs);
      if (table.generation < (current?.generation ?? 0))
        this.faults.push('an older one was created');
    }
    if (kind === 'restore') {
      const rowsOf = region.restore(nowMs);
      if (region.current()?.rowsOf !== rowsOf) this.faults.push('a restored table lost its rows');
    }
    if (kind === 'delete') for (const one of region.delete(nowMs)) this.ended.add(one);
    const exists = region.current() !== undefined;
    if (exists === (kind === 'delete')) this.faults.push(`${kind} was without effect`);
  }

  deliver(which: number): void {
    const [sent] = this.underWay.splice(which % this.underWay.length, 1);
    if (sent === undefined) return;
    this.regions[sent.to]!.receive(sent.entityId, sent.state);
    // A message may come twice, at any time.
    if (which % 7 === 0) this.underWay.push(sent);
    this.#check(sent.to);
  }

  /** What a region has seen deleted is there no more, and no row is purged that a table shows. */
  #check(index: number): void {
    const seen = this.#seenEnded[index]!;
    const region = this.regions[index]!;
    const generations = region.generations();
    for (const one of generations) if (one.deletedMs !== undefined) seen.add(one.generation);
    const current = region.current();
    if (current !== undefined && seen.has(current.generation)) {
      this.faults.push(`${current.generation} came back`);
    }
    const doomed = this.#rules.findPurgeable(generations, Number.MAX_SAFE_INTEGER);
    const shown = generations.filter(({ deletedMs }) => deletedMs === undefined);
    for (const { generation } of doomed) {
      if (shown.some((one) => one.rowsOf === generation))
        this.faults.push('rows were purged too early');
    }
  }

  /** What holds once nothing is under way: the regions agree, and at most one generation lives. */
  checkQuiet(): void {
    const [first, ...others] = this.regions.map((region) => JSON.stringify(region.generations()));
    if (others.some((other) => other !== first)) this.faults.push('the regions do not agree');
    const generations = this.regions[0]?.generations() ?? [];
    const living = generations.filter(
      (one) => one.createdMs !== undefined && one.deletedMs === undefined,
    );
    if (living.length > 1) this.faults.push('two generations live');
    if (living.some(({ generation }) => this.ended.has(generation)))
      this.faults.push('one came back');
  }
}

const history = fc.record({
  count: fc.integer({ min: 2, max: 3 }),
  skews: fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 3, maxLength: 3 }),
  steps: fc.array(step, { maxLength: 24 }),
  // No multiple of seven, or it would never end.
  order: fc.infiniteStream(fc.nat(1_000).map((number) => 7 * number + 1)),
});

/** Returns the property that no history of regions by these rules has a fault. */
const noFaultBy = (rules: Rules) =>
  fc.property(history, ({ count, skews, steps, order }) => {
    const world = new World(count, skews, rules);
    for (const [nowMs, one] of steps.entries()) world.perform(one, nowMs);
    for (const which of order) {
      if (world.underWay.length === 0) break;
      world.deliver(which);
    }
    world.checkQuiet();
    expect(world.faults).toEqual([]);
  });

/** Rules with a bug each, as somebody might write them. */
const BUGS: Readonly<Record<string, Partial<Rules>>> = {
  'a generation is used again': {
    decideCreate: (name, settings, generations) => {
      const last = generations?.findLast(({ createdMs }) => createdMs !== undefined);
      const decision = decideCreate(name, settings, generations);
      return last === undefined || decision.kind === 'exists'
        ? decision
        : { kind: 'create', generation: last.generation };
    },
  },
  'a later creation revives': {
    currentTable: (generations) =>
      generations?.findLast(
        ({ createdMs = -1, deletedMs = -1 }) => createdMs >= 0 && createdMs >= deletedMs,
      ),
  },
  'a deletion leaves the oldest generation that lives': {
    decideDelete: (generations) => decideDelete(generations).slice(1),
  },
  'a restored table shows its own rows': {
    decideRestore: (...asked) => {
      const decision = decideRestore(...asked);
      return { ...decision, rowsOf: decision.generation };
    },
  },
  'rows are purged although a restored table shows them': {
    findPurgeable: (generations) => generations.filter(({ deletedMs }) => deletedMs !== undefined),
  },
  'two regions that create at once take different numbers': {
    decideCreate: (name, settings, generations) => {
      const decision = decideCreate(name, settings, generations);
      drawn += 1;
      return decision.kind === 'exists'
        ? decision
        : { kind: 'create', generation: decision.generation + (drawn % 2) };
    },
  },
  'of several generations the lowest counts': {
    currentTable: (generations) =>
      generations?.find((one) => one.createdMs !== undefined && one.generation === 0) ??
      currentTable(generations),
  },
};
let drawn = 0;

describe('I21: the catalogue of tables', () => {
  test('agrees in every region on the table there is, and no deleted generation comes back, whatever the order of arrival', () => {
    fc.assert(noFaultBy(RULES), { numRuns: 10_000 });
  }, 60_000);

  test.each(Object.entries(BUGS))('would be found broken where %s', (_, bug) => {
    const found = fc.check(noFaultBy({ ...RULES, ...bug }), { numRuns: 5_000, endOnFailure: true });
    expect(found.failed).toBe(true);
  });

  test('two regions that create the same table at once agree on its generation', () => {
    const east = new Region('east', 0);
    const west = new Region('west', 5);
    expect(east.create(1).generation).toBe(west.create(1).generation);
    for (const [id, state] of west.states) east.receive(id, state);
    expect(east.generations()).toHaveLength(1);
  });

  test('a creation that arrives after its deletion, with a later stamp, does not bring the table back', () => {
    const east = new Region('east', 0);
    const west = new Region('west', 500);
    const north = new Region('north', 0);
    east.create(1);
    east.delete(2);
    west.create(3);
    for (const region of [east, west]) {
      for (const [id, state] of region.states) north.receive(id, state);
    }
    expect(currentTable(north.generations())).toBeUndefined();
    expect(north.create(4).generation).toBe(1);
  });

  test('a deletion that arrives before its creation ends it all the same', () => {
    const east = new Region('east', 0);
    const west = new Region('west', 0);
    east.create(1);
    east.delete(2);
    const [creation, deletion] = [...east.states];
    west.receive(...deletion!);
    expect(west.generations()).toMatchObject([{ createdMs: undefined, deletedMs: 2 }]);
    expect(currentTable(west.generations())).toBeUndefined();
    west.receive(...creation!);
    expect(currentTable(west.generations())).toBeUndefined();
  });

  test('a deletion ends every generation that lives, so that no older one shows up', () => {
    const east = new Region('east', 0);
    east.put(recordIdOf(KEY, 0, 'creation'), toCreation('Orders', {}, { nowMs: 1 }), 1);
    east.put(recordIdOf(KEY, 1, 'creation'), toCreation('Orders', {}, { nowMs: 2 }), 2);
    expect(currentTable(east.generations())?.generation).toBe(1);
    expect(east.delete(3)).toEqual([0, 1]);
    expect(currentTable(east.generations())).toBeUndefined();
  });
});

describe('a table that was deleted', () => {
  const region = (): Region => {
    const east = new Region('east', 0);
    east.create(1, { policy: 'field' });
    east.delete(10);
    return east;
  };

  test('comes back as a new generation that shows the old rows, with the old policy', () => {
    const east = region();
    east.restore(20);
    expect(currentTable(east.generations())).toMatchObject({
      generation: 1,
      rowsOf: 0,
      policy: 'field',
    });
    east.delete(30);
    east.restore(40);
    expect(currentTable(east.generations())).toMatchObject({ generation: 2, rowsOf: 0 });
  });

  test('does not come back while one of its name exists, nor when its rows may be gone', () => {
    const east = region();
    expect(() => east.restore(10 + KEEP_MS)).toThrow(/were kept until 1970-01-01T00:00:01.010Z/);
    east.create(20);
    expect(() => east.restore(30)).toThrow(/exists. Delete it first/);
    expect(() => decideRestore('Devices', [], { nowMs: 0, keepMs: 1 })).toThrow(
      /no table of that name/,
    );
  });

  test('is purgeable when every generation that showed its rows was deleted before the horizon', () => {
    const east = region();
    const purgeable = (horizonMs: number): readonly number[] =>
      findPurgeable(east.generations(), horizonMs).map(({ generation }) => generation);
    expect(purgeable(10)).toEqual([]);
    expect(purgeable(11)).toEqual([0]);
    east.restore(20);
    expect(purgeable(1_000_000)).toEqual([]);
    east.delete(30);
    expect(purgeable(30)).toEqual([]);
    expect(purgeable(31)).toEqual([0, 1]);
  });
});

describe('the rows of a table that was deleted', () => {
  const ofText = (timeMs: number): string => new Date(timeMs).toISOString();
  const table = (
    generation: number,
    { rowsOf = generation, ...times }: { rowsOf?: number; deleted?: number; purged?: number },
  ): readonly StoredRecord[] => [
    {
      entityId: recordIdOf(KEY, generation, 'creation'),
      entity: { ...toCreation('Orders', {}, { nowMs: 1, rowsOf }) } as CatalogRecord,
    },
    ...(times.deleted === undefined
      ? []
      : [
          {
            entityId: recordIdOf(KEY, generation, 'deletion'),
            entity: {
              name: 'Orders',
              deletedAt: ofText(times.deleted),
              purgedAt: times.purged === undefined ? null : ofText(times.purged),
            } as CatalogRecord,
          },
        ]),
  ];
  const read = (...records: readonly (readonly StoredRecord[])[]) =>
    readCatalogue(records.flat()).get(KEY) ?? [];
  const purged = (generations: readonly TableGeneration[], appliedMs: number) =>
    findPurged(generations, appliedMs).map(({ generation }) => generation);

  test('go once every region has applied that they do, and not before', () => {
    const generations = read(table(0, { deleted: 10, purged: 500 }));
    expect(purged(generations, 500)).toEqual([]);
    expect(purged(generations, 501)).toEqual([0]);
    expect(findPurgeable(generations, 1_000)).toEqual([]);
    const asked = { nowMs: 11, keepMs: KEEP_MS };
    expect(() => decideRestore('Orders', generations, asked)).toThrow(/cannot be restored/);
  });

  test('stay while a table shows them that was restored before that was heard of', () => {
    const lives = read(table(0, { deleted: 10, purged: 500 }), table(1, { rowsOf: 0 }));
    expect(purged(lives, 10_000)).toEqual([]);
    // Once it is deleted too, they are kept anew, and it is to be said again that they go.
    const again = read(
      table(0, { deleted: 10, purged: 500 }),
      table(1, { rowsOf: 0, deleted: 600 }),
    );
    expect(purged(again, 10_000)).toEqual([]);
    expect(decideRestore('Orders', again, { nowMs: 700, keepMs: KEEP_MS }).rowsOf).toBe(0);
    expect(findPurgeable(again, 601).map(({ generation }) => generation)).toEqual([0, 1]);
  });

  test('stay while nobody can read, or has heard, whose rows a later generation shows', () => {
    const [creation] = table(1, { rowsOf: 0 });
    const unreadable = [{ entityId: creation!.entityId, entity: undefined }];
    expect(purged(read(table(0, { deleted: 10, purged: 500 }), unreadable), 10_000)).toEqual([]);
    expect(findPurgeable(read(table(0, { deleted: 10 }), unreadable), 10_000)).toEqual([]);
  });
});

describe('settings of a table', () => {
  test.each([
    ['policy', { policy: 'field' }],
    ['replicate', { replicate: 'none' }],
  ] as const)('%s is not changed under a live table', (setting, settings) => {
    const east = new Region('east', 0);
    east.create(1);
    expect(() => east.create(2, settings)).toThrow(
      new RegExp(`has the ${setting} .* Delete the table`),
    );
    expect(() => east.create(2, { policy: 'row', replicate: 'all' })).not.toThrow();
    east.delete(3);
    expect(east.create(4, settings)).toMatchObject(settings);
  });

  test.each([0, -1, 1.5, Number.NaN])('an age of %j is refused', (tombstoneAgeMs) => {
    expect(() => toCreation('Orders', { tombstoneAgeMs }, { nowMs: 0 })).toThrow(
      /tombstoneAgeMs is/,
    );
  });
});

describe('I15: a record of a table that no region writes', () => {
  test.each(['Customers', '../etc', 'orders~0000', ''])(
    'gives it no name by which it is not found (%j)',
    (name) => {
      const entity = { ...nothing(), name, createdAt: '2026-01-01T00:00:00Z' };
      const [table] = readCatalogue([{ entityId: 'orders~0003', entity }]).get('orders') ?? [];
      expect(table).toMatchObject({ name: 'orders', rowsOf: 3 });
    },
  );

  test.each([1n, -1n, 59_000n])(
    'I4: keeps its tombstones for an hour all the same (%s ms)',
    (ageMs) => {
      const entity = { ...nothing(), tombstoneAgeMs: ageMs };
      const [table] = readCatalogue([{ entityId: 'orders~0003', entity }]).get('orders') ?? [];
      expect(table?.tombstoneAgeMs).toBe(3_600_000);
    },
  );

  test.each(['!', '', '0004', 'zzzz', '00000', 'ÄÄÄÄ'])(
    'shows no rows where nobody can say whose (%j), and keeps those of before',
    (rowsOf) => {
      const deleted = { ...nothing(), deletedAt: '2026-01-01T00:00:00Z' };
      const generations = readCatalogue([
        { entityId: 'orders~0001', entity: { ...nothing(), createdAt: '2025-01-01T00:00:00Z' } },
        { entityId: 'orders~0001~deleted', entity: deleted },
        { entityId: 'orders~0003', entity: { ...nothing(), rowsOf } },
      ]).get('orders');
      expect(currentTable(generations)).toBeUndefined();
      expect(findPurgeable(generations ?? [], Date.parse('2030-01-01'))).toEqual([]);
      expect(decideCreate('Orders', {}, generations)).toMatchObject({ generation: 4 });
    },
  );
});

describe('a table of which a newer build wrote how it is kept', () => {
  const readWith = (record: Partial<CatalogRecord>) => {
    const entity = { ...nothing(), createdAt: '2026-01-01T00:00:00Z', ...record };
    return readCatalogue([{ entityId: 'orders~0003', entity }]).get('orders') ?? [];
  };

  test.each<Partial<CatalogRecord>>([{ replicate: 'east,west' }, { policy: 'merge' }])(
    'is there, and is kept as nobody knows: %j',
    (record) => {
      const generations = readWith(record);
      expect(currentTable(generations)).toMatchObject({ source: 'unreadable' });
      expect(decideCreate('Orders', {}, generations)).toMatchObject({ kind: 'exists' });
    },
  );

  test('is not said to go to every region, nor restored as if it did', () => {
    const [table] = readWith({ replicate: 'east,west' });
    expect(table?.replicate).toBe('unreadable');
    const asked = { replicate: 'all' } as const;
    expect(() => decideCreate('Orders', asked, [table!])).toThrow(/"unreadable"/);
    const deleted = { ...table!, deletedMs: 5 };
    const when = { nowMs: 10, keepMs: 1_000 };
    expect(() => decideRestore('Orders', [deleted], when)).toThrow(/newer build/);
  });

  test('comes here all the same: what a word of it means is not asked of what arrives', () => {
    const [stamp, value] = [
      formatStamp({ timeMs: 5, counter: 0, region: 'east', writer: 'w' }),
      'east,west,north',
    ];
    const state: EntityState = {
      fields: new Map([['replicate', { value: { type: 'String', value }, stamp }]]),
      alive: stamp,
      deleted: undefined,
      vector: new Map([['east', stamp]]),
    };
    expect(findEntityFault(catalogKind, 'orders~0003', state)).toBeUndefined();
  });
});

/** The fields of a record as a region reads them, each without a value. */
function nothing(): CatalogRecord {
  const state: EntityState = {
    fields: new Map(),
    alive: undefined,
    deleted: undefined,
    vector: new Map(),
  };
  return toEntity(catalogKind, state);
}

describe('the name of a table', () => {
  test.each(['abc', 'Orders', 'a'.repeat(63), 'A1234'])('%j is one, in any case', (name) => {
    expect(tableKeyOf(name)).toBe(name.toLowerCase());
    expect(catalogKind.isEntityId(recordIdOf(tableKeyOf(name), 35, 'creation'))).toBe(true);
  });

  test.each(['', 'ab', '1abc', 'a-b', 'a b', 'größe', 'a'.repeat(64), 'abc\n', 'abc~0000'])(
    '%j is none',
    (name) => {
      expect(() => tableKeyOf(name)).toThrow(/3 to 63 letters and digits, a letter first/);
    },
  );

  test.each(['tables', 'Tables', 'TABLES'])('%j is kept by the service', (name) => {
    expect(() => tableKeyOf(name)).toThrow(/Choose another name/);
  });

  test.each([
    ['orders~0010', { key: 'orders', generation: 36, isDeletion: false }],
    ['orders~zzzz~deleted', { key: 'orders', generation: 36 ** 4 - 1, isDeletion: true }],
    ['Orders~0000', undefined],
    ['orders', undefined],
    ['orders~0000~purged', undefined],
  ])('%j as the id of a record', (id, expected) => {
    expect(readRecordId(id)).toEqual(expected);
  });

  test('a name whose every number is used is refused', () => {
    const last = readCatalogue([
      {
        entityId: 'orders~zzzz~deleted',
        entity: { deletedAt: '2026-01-01T00:00:00Z' } as CatalogRecord,
      },
    ]);
    expect(() => decideCreate('Orders', {}, last.get('orders'))).toThrow(/1679616 times/);
  });
});
