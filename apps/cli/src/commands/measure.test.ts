import {
  type ChangePublisher,
  catalogKind,
  rowsKind,
  type TableStore,
  TerminalError,
  TransientError,
} from '@tandem/core';
import { createMemoryTableStore, createSeededRandomness } from '@tandem/core/memory';
import { createWorld, drive, memoryBusOf, regionOf } from '@tandem/region/testing';
import { expect, test } from 'vitest';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { runProgram } from '../program.ts';

const NAMES = ['east', 'west'] as const;
const PEER_OF = { east: 'west', west: 'east' } as const;
/** Of each request of the command; what regions do by themselves takes no time. */
const ANSWER_MS = 25;
/** After so long the adapters of stores and namespaces give up what hangs. */
const HANG_MS = 10_000;

interface Billed {
  readonly counted: {
    readonly messages: number;
    readonly messageBytes: number;
    readonly transactions: number;
  };
  readonly tableRequests: number;
  readonly serviceBusOperations: number;
  readonly tableRequestsOfReplicators: number;
  readonly total: number;
}

/** Two regions with their replicators, and a command whose requests and messages are counted beneath it. */
async function setUp() {
  const made = createWorld();
  const { clock } = made;
  /**
   * Nothing reaches `cutOff`; the namespace of `hanging` and the account of `frozen` answer nobody; `onCatalogue` and `onRow`
   * are told of each commit that the command has made there; the account of `unopened` makes no tables for it.
   */
  const faults: {
    cutOff?: string;
    hanging?: string;
    frozen?: string;
    answerMs?: number;
    onCatalogue?: () => void;
    onRow?: () => void;
    unopened?: string;
  } = {};
  const world: typeof made = {
    clock,
    bus: {
      ...made.bus,
      publisherFor(to, queue) {
        const publisher = made.bus.publisherFor(to, queue);
        return {
          ...publisher,
          publish: async (messages) => {
            if (faults.cutOff === to)
              throw new TransientError('BUS_UNAVAILABLE', `${to} is cut off.`);
            if (faults.hanging === to) {
              await clock.sleep(HANG_MS);
              throw new TransientError('BUS_UNAVAILABLE', `${to} hangs.`);
            }
            return publisher.publish(messages);
          },
        };
      },
    },
  };
  const stores = {
    east: createMemoryTableStore({ nowMs: () => clock.nowMs() }),
    west: createMemoryTableStore({ nowMs: () => clock.nowMs() }),
  };
  const regions = NAMES.map(
    (region) => regionOf(world, { region, peer: PEER_OF[region], store: stores[region] }).region,
  );
  await drive(world, Promise.all(regions.map((region) => region.open())));
  await clock.advance(5_000);
  const asked = { requests: 0, commits: 0, messages: 0, bytes: 0 };
  const openStore = (connection: string): TableStore => {
    const store = stores[connection as keyof typeof stores];
    const answered = async <T>(answer: () => Promise<T>): Promise<T> => {
      asked.requests += 1;
      const isFrozen = faults.frozen === connection;
      await clock.sleep(isFrozen ? HANG_MS : (faults.answerMs ?? ANSWER_MS));
      if (isFrozen) throw new TransientError('TABLE_UNAVAILABLE', `${connection} hangs.`);
      return answer();
    };
    return {
      createTable: (table) =>
        answered(async () => {
          if (faults.unopened === connection)
            throw new TransientError('TABLE_UNAVAILABLE', 'It is gone.');
          return store.createTable(table);
        }),
      get: (...key) => answered(() => store.get(...key)),
      query: (range) => answered(() => store.query(range)),
      timeMs: () => answered(() => store.timeMs()),
      commit(transaction) {
        asked.commits += 1;
        return answered(async () => {
          const outcome = await store.commit(transaction);
          if (transaction.table === catalogKind.name) faults.onCatalogue?.();
          if (transaction.table === rowsKind.name) faults.onRow?.();
          return outcome;
        });
      },
    };
  };
  const bus = memoryBusOf(world.bus);
  const counted = (publisher: ChangePublisher): ChangePublisher => ({
    ...publisher,
    publish(messages) {
      asked.messages += messages.length;
      for (const { body } of messages) asked.bytes += body.length;
      return publisher.publish(messages);
    },
  });
  const inventory = JSON.stringify({
    version: 1,
    regions: NAMES.map((name) => ({
      name,
      storage: name,
      serviceBus: `${name}.servicebus.example`,
    })),
  });
  const runWith = async (own: Partial<Io>, ...args: readonly string[]) => {
    let out = '';
    let err = '';
    const code = await drive(
      world,
      runProgram(['measure', ...args], {
        out: (text) => void (out += text),
        err: (text) => void (err += text),
        isTerminal: false,
        environment: { TANDEM_REGIONS: inventory },
        folder: '/nowhere',
        openStore,
        inspectQueue: async () => [],
        readReadiness: async () => undefined,
        openQueue: () => ({}) as never,
        bus: { ...bus, createPublisher: (peer) => counted(bus.createPublisher(peer)) },
        clock,
        randomness: createSeededRandomness(7),
        signal: new AbortController().signal,
        ...own,
      }),
    );
    const last = out.trimEnd().split('\n').at(-1) ?? '';
    const json = last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {};
    return { code, out, err, json, billed: json['billed'] as Billed };
  };
  const tablesOf = async (at: number) =>
    (await drive(world, regions[at]!.catalogue.list())).map(({ name }) => name);
  return { world, faults, regions, asked, runWith, run: runWith.bind(undefined, {}), tablesOf };
}

const SHORT = ['--json', '--apply', '--for', '5s'] as const;

test('says what it would do, and writes nothing without --apply', async () => {
  const { run, asked, tablesOf } = await setUp();
  const { code, out } = await run('--for', '30s', '--operations-max', '5000');
  expect(code).toBe(EXIT.ok);
  expect(out).toContain('east, west: writes for 30s');
  expect(out).toContain('At most 5000 table requests and Service Bus operations are billed');
  expect(out).toContain('Run it with --apply.');
  expect(asked).toMatchObject({ commits: 0, messages: 0 });
  expect(await tablesOf(0)).toEqual([]);
});

test('reports acknowledgement, lag of each direction, throughput and what is billed, as it was counted beneath it', async () => {
  const { run, asked, world, tablesOf } = await setUp();
  const { code, json, billed, err } = await run(...SHORT);
  expect({ code, json }).toMatchObject({
    code: EXIT.ok,
    json: {
      applied: true,
      tableIsDeleted: true,
      failures: 0,
      failOver: null,
      alone: NAMES.map((region) => ({ region, ackMs: { p50: expect.any(Number) } })),
      directions: [
        { from: 'east', to: 'west', late: 0, owed: 0 },
        { from: 'west', to: 'east', late: 0, owed: 0 },
      ],
      notMeasured: [],
      throughput: [
        { region: 'east', writers: 1 },
        { region: 'east', writers: 16 },
        { region: 'east', writers: 64 },
      ],
    },
  });
  expect(err).toContain('writes for 5s');
  // Counted: by itself, and beneath it.
  expect(billed.tableRequests).toBe(asked.requests);
  expect(billed.counted).toMatchObject({ messages: asked.messages, messageBytes: asked.bytes });
  expect(billed.serviceBusOperations).toBe(3 * asked.messages);
  expect(billed.total).toBe(
    billed.tableRequests + billed.serviceBusOperations + billed.tableRequestsOfReplicators,
  );
  expect(billed.total).toBeLessThanOrEqual(200_000);
  const alone = json['alone'] as readonly { ackMs: { p50: number }; readMs: { p50: number } }[];
  for (const { ackMs, readMs } of alone) {
    expect(readMs.p50).toBe(ANSWER_MS);
    expect(ackMs.p50).toBeGreaterThanOrEqual(ANSWER_MS);
    expect(ackMs.p50).toBeLessThan(10 * ANSWER_MS);
  }
  const throughput = json['throughput'] as readonly { writesPerSecond: number }[];
  expect(throughput[1]!.writesPerSecond).toBeGreaterThan(4 * throughput[0]!.writesPerSecond);
  expect(throughput[2]!.writesPerSecond).toBeGreaterThan(2 * throughput[1]!.writesPerSecond);
  await world.clock.advance(10_000);
  expect(await tablesOf(0)).toEqual([]);
  expect(await tablesOf(1)).toEqual([]);
});

test('shows the same to a person, with what is counted, what is estimated and what is left', async () => {
  const { run } = await setUp();
  const { code, out } = await run('--apply', '--for', '5s', '--operations-max', '6000');
  expect(code).toBe(EXIT.ok);
  for (const part of [
    'acknowledged p50, p99',
    'lag p50, p99',
    'writes/s',
    'counted:',
    'messages counted, each sent, received and completed',
    'estimated, at most',
    'Parts ended early to stay within 6000 operations.',
    'Fail-over was not measured',
    'Its rows go once 168h have passed',
  ]) {
    expect(out).toContain(part);
  }
});

test.each([2_000, 6_000])('stays within %i operations', async (operationsMax) => {
  const { run } = await setUp();
  const args = [...SHORT, '--operations-max', String(operationsMax)];
  const { json, billed } = await run(...args);
  expect(json).toMatchObject({ cutShort: true, tableIsDeleted: true });
  expect(billed.total).toBeLessThanOrEqual(operationsMax);
  expect(json['writes']).toBeGreaterThan(0);
});

test('refuses a limit that is too low to measure anything, and a time without end', async () => {
  const { run } = await setUp();
  for (const args of [
    ['--operations-max', '1999'],
    ['--for', '2h'],
    ['--for', '1s'],
  ]) {
    expect(await run(...args, '--apply')).toMatchObject({ code: EXIT.usage });
  }
});

test('says what was measured when it is interrupted, and leaves no table', async () => {
  const { runWith, world, tablesOf } = await setUp();
  const stop = new AbortController();
  const stopLater = async (): Promise<void> => {
    await world.clock.sleep(3_000);
    stop.abort();
  };
  const stopping = stopLater();
  const { code, json } = await runWith({ signal: stop.signal }, ...SHORT, '--for', '10m');
  await stopping;
  expect({ code, json }).toMatchObject({
    code: EXIT.interrupted,
    json: { interrupted: true, tableIsDeleted: true },
  });
  expect(await tablesOf(0)).toEqual([]);
});

test('finds a direction in which nothing arrives, though it has nothing but late writes to tell of', async () => {
  const { run, faults } = await setUp();
  faults.cutOff = 'east';
  const { code, json } = await run('--json', '--apply', '--for', '30s');
  expect({ code, json }).toMatchObject({
    code: EXIT.finding,
    json: {
      failures: 0,
      directions: [
        { from: 'east', to: 'west', late: 0 },
        { from: 'west', to: 'east', samples: 0, late: 1, lagMs: { p50: null } },
      ],
    },
  });
});

/** What it may take beside the time for which it writes: five parts that wait for what does not arrive, and the end. */
const BESIDE_MS_MAX = 5 * 40_000 + 100_000;

interface HungRun {
  readonly directions: readonly { readonly from: string; readonly owed: number | null }[];
  readonly throughput: readonly { readonly writes: number }[];
  readonly notMeasured: readonly string[];
}

async function measureWhile(fault: 'hanging' | 'frozen') {
  const { run, faults, world, tablesOf } = await setUp();
  // The table itself has come everywhere by then.
  faults.onRow = () => {
    faults[fault] = 'west';
  };
  const startedMs = world.clock.nowMs();
  const { code, json, billed } = await run(...SHORT);
  const tookMs = world.clock.nowMs() - startedMs;
  expect(code).toBe(EXIT.finding);
  expect(tookMs).toBeLessThan(5_000 + BESIDE_MS_MAX);
  expect(await tablesOf(0)).toEqual([]);
  return { json: json as unknown as HungRun, billed };
}

test('while a namespace hangs, ends in its bounds, and says what it could not measure and what lies in the outbox', async () => {
  const { json } = await measureWhile('hanging');
  const { directions, throughput, notMeasured } = json;
  const written = throughput.reduce((sum, { writes }) => sum + writes, 0);
  expect(written).toBeGreaterThan(10);
  // The one of those by one writer is the first, for which it has waited until the part was over.
  const [toWest, toEast] = directions;
  expect(toWest).toMatchObject({
    from: 'east',
    samples: 0,
    late: 1,
    lagMs: { p50: null },
    owed: written + 1,
  });
  expect(toEast).toMatchObject({ from: 'west', late: 0, owed: 0 });
  expect(notMeasured).toEqual([
    '1 of the writes to east could not be read in west within 30s: the lag is not known.',
    ...[1, 16, 64].map((writers) =>
      expect.stringContaining(`Not all writes by ${writers} at once to east could be read`),
    ),
    expect.stringContaining(`${written + 1} of the writes to east are still in its outbox`),
  ]);
});

test('while an account is frozen, ends in its bounds, and says what it could not measure', async () => {
  const { json } = await measureWhile('frozen');
  const { directions, throughput, notMeasured } = json;
  expect(throughput.every(({ writes }) => writes > 0)).toBe(true);
  expect(directions).toMatchObject([
    { from: 'east', samples: 0, owed: 0 },
    { from: 'west', samples: 0, owed: null },
  ]);
  expect(notMeasured).toEqual([
    expect.stringMatching(/^west did not acknowledge \d+ of its writes, one at a time/),
    '1 of the writes to east could not be read in west within 30s: the lag is not known.',
    expect.stringContaining('The lag from west to east is not known'),
    ...[1, 16, 64].map((writers) =>
      expect.stringContaining(`Not all writes by ${writers} at once to east could be read`),
    ),
    'How much of it west still owes east is not known: its outbox could not be read.',
  ]);
});

test('says that so few writes show no lag', async () => {
  const { run, faults } = await setUp();
  faults.answerMs = 12 * ANSWER_MS;
  const { code, json } = await run(...SHORT);
  expect({ code, json }).toMatchObject({
    code: EXIT.finding,
    json: {
      directions: [
        { samples: 0, late: 0 },
        { samples: 0, late: 0 },
      ],
      notMeasured: [
        expect.stringContaining('The lag from east to west is not known'),
        expect.stringContaining('The lag from west to east is not known'),
      ],
    },
  });
});

test('deletes a table that was made, though its creation failed', async () => {
  const { run, faults, world, tablesOf } = await setUp();
  let commits = 0;
  faults.onCatalogue = () => {
    commits += 1;
    if (commits === 1) throw new TerminalError('TABLE_REQUEST_INVALID', 'Nobody knows why.');
  };
  const { code } = await run(...SHORT);
  expect(code).not.toBe(EXIT.ok);
  expect(commits).toBeGreaterThan(1);
  await world.clock.advance(10_000);
  expect(await tablesOf(0)).toEqual([]);
});

test('names a region that does not open, and measures nothing', async () => {
  const { run, faults, tablesOf } = await setUp();
  faults.unopened = 'west';
  const { code, err } = await run(...SHORT);
  expect(code).toBe(EXIT.unreachable);
  expect(err).toContain('Region west could not be opened within 1m: nothing was measured');
  expect(await tablesOf(0)).toEqual([]);
});

test('measures nothing where the table does not arrive, says so, and deletes it', async () => {
  const { run, regions, tablesOf, world } = await setUp();
  await drive(world, regions[1]!.stop());
  const { code, err } = await run(...SHORT);
  expect(code).toBe(EXIT.unreachable);
  expect(err).toContain('did not come to west within 30s: nothing was measured');
  expect(await tablesOf(0)).toEqual([]);
});
