import { believedPeers, type Heartbeat, type TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createFaultyStore } from '../testing/faulty-store.ts';
import { REPLICATION_TABLE } from './status-row.ts';
import { createTableReplicationStatus } from './table-replication-status.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const YEAR_MS = 365 * 86_400_000;

async function setUp() {
  const store = createFaultyStore(createMemoryTableStore());
  await store.createTable(REPLICATION_TABLE);
  const status = createTableReplicationStatus({ store });
  const beat = (nowMs: number, more: Partial<Heartbeat> = {}): Promise<void> =>
    status.beat({
      nowMs,
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: [{ peer: 'west', passedMs: nowMs - 100, appliedMs: nowMs - 200, isReachable: true }],
      ...more,
    });
  return { store, status, beat };
}

describe('the heartbeat of a region', () => {
  test('A3, I16: that a wrong clock has written ends with the next one of a right clock', async () => {
    const { status, beat } = await setUp();
    await beat(NOW_MS + YEAR_MS);
    await beat(NOW_MS);
    expect(await status.read()).toMatchObject({
      heartbeatMs: NOW_MS,
      peers: [{ passedMs: NOW_MS - 100, appliedMs: NOW_MS - 200 }],
    });
  });

  test('keeps of several replicators the newest word of each peer, up to the time of the writer', async () => {
    const { status, beat } = await setUp();
    await beat(NOW_MS);
    await beat(NOW_MS - 150);
    expect(await status.read()).toMatchObject({
      heartbeatMs: NOW_MS,
      peers: [{ passedMs: NOW_MS - 150, appliedMs: NOW_MS - 200 }],
    });
  });

  test('adds up what several replicators have applied of a peer, and keeps it while one says nothing of it', async () => {
    const { status, beat } = await setUp();
    const countOf = async (): Promise<number | undefined> =>
      (await status.read())?.peers[0]?.appliedSets;
    await beat(NOW_MS);
    expect(await countOf()).toBeUndefined();
    await beat(NOW_MS, { appliedSets: new Map() });
    expect(await countOf()).toBe(0);
    await beat(NOW_MS, { appliedSets: new Map([['west', 7]]) });
    await beat(NOW_MS, {
      appliedSets: new Map([
        ['west', 2],
        ['a stranger', 9],
      ]),
    });
    await beat(NOW_MS);
    expect(await countOf()).toBe(9);
  });

  /** Puts there what another build, or anybody else, has written. */
  const putRow = (store: TableStore, progress: string) =>
    store.commit({
      table: REPLICATION_TABLE,
      partitionKey: 'status',
      operations: [
        {
          kind: 'upsert',
          rowKey: 'heartbeat',
          properties: new Map([['progress', { type: 'String', value: progress }]]),
        },
      ],
    });

  test('of a build that counts nothing is read as before, and counted on from nothing', async () => {
    const { store, status, beat } = await setUp();
    const peers = '[{"peer":"west","passedMs":7,"reads":{"heardMs":5},"isReachable":true}]';
    await putRow(store, `{"heartbeatMs":9,"hasBacklog":false,"peers":${peers},"notices":[]}`);
    expect((await status.read())?.peers).toEqual([
      { peer: 'west', passedMs: 7, reads: { heardMs: 5 }, isReachable: true },
    ]);
    await beat(NOW_MS, { appliedSets: new Map([['west', 3]]) });
    expect((await status.read())?.peers).toMatchObject([{ appliedSets: 3, reads: { heardMs: 5 } }]);
  });

  test.each(['-1', '1.5', '9007199254740992', '1e300'])(
    'A3, I16: forgets how many were applied where it cannot be so many (%s), and nothing else',
    async (count) => {
      const { store, status, beat } = await setUp();
      const peers = `[{"peer":"west","passedMs":${NOW_MS},"appliedSets":${count},"isReachable":true}]`;
      await putRow(store, `{"heartbeatMs":${NOW_MS},"hasBacklog":false,"peers":${peers}}`);
      const own = { nowMs: NOW_MS, driftMsMax: 60_000 };
      const [believed] = believedPeers(await status.read(), own);
      expect(believed).toEqual({ peer: 'west', passedMs: NOW_MS, isReachable: true });
      await beat(NOW_MS, { appliedSets: new Map([['west', 2]]) });
      expect((await status.read())?.peers).toMatchObject([{ passedMs: NOW_MS, appliedSets: 2 }]);
    },
  );

  test('says what the build reads that wrote last, and of one that does not say so nothing', async () => {
    const { status, beat } = await setUp();
    await beat(NOW_MS, { readsWireVersion: 8 });
    expect(await status.read()).toMatchObject({ readsWireVersion: 8 });
    await beat(NOW_MS + 100);
    expect(await status.read()).not.toHaveProperty('readsWireVersion');
  });

  test('keeps what a peer told last of what it reads, whichever of the replicators heard it, also that it does not say', async () => {
    const { status, beat } = await setUp();
    const heard = async (heardMs: number, wireVersion?: number) => {
      const reads = { heardMs, ...(wireVersion !== undefined && { wireVersion }) };
      const peers = [{ peer: 'west', passedMs: undefined, isReachable: true, reads }];
      await beat(NOW_MS, { peers });
      return (await status.read())?.peers[0]?.reads;
    };
    expect(await heard(NOW_MS - 9, 7)).toEqual({ heardMs: NOW_MS - 9, wireVersion: 7 });
    expect(await heard(NOW_MS - 5, 8)).toEqual({ heardMs: NOW_MS - 5, wireVersion: 8 });
    expect(await heard(NOW_MS - 7, 7)).toEqual({ heardMs: NOW_MS - 5, wireVersion: 8 });
    await beat(NOW_MS);
    expect((await status.read())?.peers[0]?.reads).toMatchObject({ wireVersion: 8 });
    expect(await heard(NOW_MS - 3)).toEqual({ heardMs: NOW_MS - 3 });
  });

  test('A3, I16: forgets what was heard at a time that is yet to come', async () => {
    const { status, beat } = await setUp();
    const word = { peer: 'west', passedMs: undefined, isReachable: true };
    const reads = { heardMs: NOW_MS + YEAR_MS, wireVersion: 8 };
    await beat(NOW_MS, { peers: [{ ...word, reads }] });
    await beat(NOW_MS, { peers: [word] });
    expect((await status.read())?.peers).toEqual([word]);
  });

  test('keeps what another replicator has told since its own last beat', async () => {
    const { store, status, beat } = await setUp();
    await beat(NOW_MS);
    const told = { peer: 'west', passedMs: NOW_MS + 80, isReachable: true };
    const other = createTableReplicationStatus({ store });
    const common = { catchingUpSinceMs: undefined, hasBacklog: false };
    await other.beat({ ...common, nowMs: NOW_MS + 100, peers: [told] });
    await beat(NOW_MS + 110);
    expect(await status.read()).toMatchObject({
      heartbeatMs: NOW_MS + 110,
      peers: [{ passedMs: NOW_MS + 80, appliedMs: NOW_MS - 90 }],
    });
  });

  test.each(['{', '{"heartbeatMs":"x"}', 'null'])(
    'A7: that nobody can read (%s) counts as none, and is replaced by the next',
    async (value) => {
      const { store, status, beat } = await setUp();
      await putRow(store, value);
      expect(await status.read()).toBeUndefined();
      await beat(NOW_MS);
      expect(await status.read()).toMatchObject({ heartbeatMs: NOW_MS });
    },
  );

  test('tells what several replicators have noticed, until it is not met any more', async () => {
    const { status, beat } = await setUp();
    const notice = {
      kind: 'claim-refused' as const,
      subject: 'west',
      detail: 'it speaks of a time 5 ms ahead',
      count: 1,
      sinceMs: NOW_MS,
      lastMs: NOW_MS,
    };
    await beat(NOW_MS, { notices: [notice] });
    await beat(NOW_MS + 1_000);
    expect((await status.read())?.notices).toEqual([notice]);
    await beat(NOW_MS + 3_600_000);
    expect((await status.read())?.notices).toEqual([]);
  });

  test('keeps the newest of every claim by itself, and forgets a peer that is none any more', async () => {
    const { status, beat } = await setUp();
    const word = { peer: 'west', passedMs: NOW_MS - 9, isReachable: true };
    const peers = [
      { ...word, peer: 'north' },
      { ...word, appliedMs: NOW_MS - 7, soundMs: NOW_MS - 5 },
    ];
    await beat(NOW_MS, { peers, catchingUpSinceMs: NOW_MS - 60, hasBacklog: true });
    expect(await status.read()).toEqual({
      heartbeatMs: NOW_MS,
      catchingUpSinceMs: NOW_MS - 60,
      hasBacklog: true,
      peers,
      notices: [],
    });
    const later = { peer: 'west', passedMs: undefined, soundMs: NOW_MS - 4, isReachable: false };
    await beat(NOW_MS, { peers: [later] });
    expect(await status.read()).toEqual({
      heartbeatMs: NOW_MS,
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: [{ ...later, passedMs: NOW_MS - 9, appliedMs: NOW_MS - 7 }],
      notices: [],
    });
  });

  test('has of a peer that was never heard no time at all', async () => {
    const { status, beat } = await setUp();
    await beat(NOW_MS, { peers: [{ peer: 'west', passedMs: undefined, isReachable: true }] });
    expect((await status.read())?.peers).toEqual([
      { peer: 'west', passedMs: undefined, isReachable: true },
    ]);
  });

  test('I16: believes a clock that is ahead by no more than it was told that clocks may be', async () => {
    const { status, beat } = await setUp();
    await beat(NOW_MS + 60);
    await beat(NOW_MS, { driftMsMax: 60 });
    expect((await status.read())?.heartbeatMs).toBe(NOW_MS + 60);
    await beat(NOW_MS, { driftMsMax: 59 });
    expect((await status.read())?.heartbeatMs).toBe(NOW_MS);
  });

  test('of two that write at once loses neither, and gives up in the end', async () => {
    const { store, status, beat } = await setUp();
    const word = { peer: 'west', passedMs: NOW_MS - 9, isReachable: true };
    let others = 0;
    const interfere = (times: number): void => {
      store.beforeCommit(async () => {
        store.beforeCommit(() => undefined);
        others += 1;
        await beat(NOW_MS, { peers: [{ ...word, soundMs: NOW_MS - 100 + others }] });
        if (times > 1) interfere(times - 1);
      });
    };
    interfere(4);
    await beat(NOW_MS, { peers: [{ ...word, appliedMs: NOW_MS - 3 }] });
    expect((await status.read())?.peers).toEqual([
      { ...word, soundMs: NOW_MS - 96, appliedMs: NOW_MS - 3 },
    ]);
    interfere(5);
    await expect(beat(NOW_MS)).rejects.toMatchObject({ code: 'WRITE_CONTENDED' });
    expect(others).toBe(9);
  });

  test.each([undefined, [], [{ kind: 'unheard-of' }, 7]])(
    'A7: tells no notice that nobody can read (%j)',
    async (notices) => {
      const { store, status } = await setUp();
      const value = JSON.stringify({ heartbeatMs: 1, hasBacklog: false, peers: [], notices });
      const properties = new Map([['progress', { type: 'String' as const, value }]]);
      const operations = [{ kind: 'upsert' as const, rowKey: 'heartbeat', properties }];
      await store.commit({ table: REPLICATION_TABLE, partitionKey: 'status', operations });
      expect(await status.read()).toMatchObject({ heartbeatMs: 1, notices: [] });
    },
  );
});
