// The process that is to stay alive: two regions of shipping code over a bus and stores in memory. Both get
// every forged message, and honest writes of both go on between them; what one accepts the other must.
import { createHash } from 'node:crypto';
import {
  AppError,
  bucketNames,
  type ChangeReceiver,
  type RecoveryRegion,
  type Settlement,
  verifyRegions,
} from '@tandem/core';
import { createMemoryBus, createSeededRandomness, type MemoryBus } from '@tandem/core/memory';
import { createForger } from '@tandem/core/testing';
import { createSystemClock } from '@tandem/service-kit';
import { createRecoveryRegion } from '@tandem/storage';
import {
  createMemoryRegion,
  deviceKind,
  expectReplayable,
  MEMORY_BUCKET_COUNT,
  type MemoryRegion,
} from '@tandem/storage/testing';

type Region = MemoryRegion<typeof deviceKind>;

export interface RegionReport {
  readonly messages: number;
  readonly refused: number;
  readonly applied: number;
  readonly blockedMsMax: number;
  readonly heapMiBMax: number;
  /** `held`, or what was found. */
  readonly invariants: string;
}

const MIB = 1_024 * 1_024;
const MESSAGES_AT_ONCE = 200;
const SWEEP_MS = 500;
const POLL_MS = 5;
const HEAP_SAMPLE_MS = 20;
/** What is honest may wait as long for the two hundred messages before it, on a machine that is busy. */
const BLOCKED_MS_MAX = 30_000;
const SETTLE_MS_MAX = 120_000;
const MESSAGES_PEEKED = 10_000;
const FORGED = 'h/';
const FORGED_IDS = 3_000;

const clock = createSystemClock();

interface Outcomes {
  /** By message id: the reason, or `applied`. */
  readonly of: ReadonlyMap<string, string>;
  /** Messages of the regions themselves that were dead-lettered. */
  readonly honestRefused: readonly string[];
}

/** Keeps the reasons of dead letters and not their bodies, which are larger than anything else here. */
function noteOutcomes(receiver: ChangeReceiver): { receiver: ChangeReceiver; outcomes: Outcomes } {
  const of = new Map<string, string>();
  const honestRefused: string[] = [];
  const note = (messageId: string, settlement: Settlement): void => {
    const reason = settlement.kind === 'dead-letter' ? settlement.reason : 'applied';
    if (messageId.startsWith(FORGED)) of.set(messageId, reason);
    else if (reason !== 'applied') honestRefused.push(`${messageId}: ${reason}`);
  };
  return {
    outcomes: { of, honestRefused },
    receiver: {
      receive: (...of) => receiver.receive(...of),
      renewLock: (message) => receiver.renewLock(message),
      oldestMessage: () => receiver.oldestMessage(),
      countDeadLetters: (countMax) => receiver.countDeadLetters(countMax),
      close: () => receiver.close(),
      settle(message, settlement) {
        if (settlement.kind !== 'abandon') note(message.messageId, settlement);
        const kind = settlement.kind === 'dead-letter' ? 'complete' : settlement.kind;
        return receiver.settle(message, { kind });
      },
    },
  };
}

async function run(messages: number, seed: number): Promise<RegionReport> {
  const randomness = createSeededRandomness(seed + 1);
  const bus = createMemoryBus({ clock, lockDurationMs: 60_000, deliveryCountMax: 10 });
  const stopping = new AbortController();
  const heap = watchHeap(stopping.signal);
  const open = async (region: string, peer: string) => {
    const noted = noteOutcomes(bus.receiverFor(region));
    const own: MemoryBus = { ...bus, receiverFor: () => noted.receiver };
    const common = { kind: deviceKind, bus: own, clock, randomness, archivesInRounds: true };
    const opened = await createMemoryRegion({ ...common, region, peers: [peer] });
    return { region: opened, outcomes: noted.outcomes };
  };
  const [east, west] = [await open('east', 'west'), await open('west', 'east')];
  const loops = [east.region, west.region].map((region) => runLoops(region, stopping.signal));

  const honest = createHonestClient(east.region, west.region);
  const forger = createForger({
    seed,
    nowMs: () => clock.nowMs(),
    kindName: deviceKind.name,
    bucketCount: MEMORY_BUCKET_COUNT,
    idPrefix: 'device',
    idCount: FORGED_IDS,
    writer: 'f',
    cuts: true,
    conflicts: true,
  });
  const queues = ['east', 'west'].map((name) => bus.publisherFor(name, name));
  for (let sent = 0; sent < messages; ) {
    const count = Math.min(MESSAGES_AT_ONCE, messages - sent);
    const forged = Array.from({ length: count }, () => forger.next());
    sent += count;
    for (const queue of queues) await queue.publish(forged);
    await honest.writeAndWait();
  }
  const settled = await until(
    async () => await isQuiet(bus, east.region, west.region),
    SETTLE_MS_MAX,
  );
  const invariants = settled
    ? await findViolation({ east, west, honest, bus })
    : 'the queues did not drain';
  stopping.abort();
  await Promise.all(loops);
  const reasons = [...east.outcomes.of.values()];
  const applied = reasons.filter((reason) => reason === 'applied').length;
  return {
    messages,
    refused: reasons.length - applied,
    applied,
    blockedMsMax: Math.ceil(honest.blockedMsMax()),
    heapMiBMax: Math.ceil(heap.bytesMax() / MIB),
    invariants,
  };
}

/** What is no `AppError` ends the process, as it would a replicator. */
async function runLoops({ replicator }: Region, signal: AbortSignal): Promise<void> {
  const forEver = async (turn: () => Promise<unknown>, waitMs: number): Promise<void> => {
    while (!signal.aborted) {
      try {
        await turn();
      } catch (error) {
        if (!(error instanceof AppError) && !signal.aborted) throw error;
      }
      if (waitMs > 0) await clock.sleep(waitMs, signal);
    }
  };
  await Promise.all([
    forEver(() => replicator.receiveOnce(signal), 0),
    forEver(async () => {
      await replicator.sweepOnce();
      await replicator.beatOnce();
    }, SWEEP_MS),
  ]);
  await replicator.drain();
}

interface HonestClient {
  /** One write in each region, behind all that was sent before, and both have arrived in the other. */
  writeAndWait(): Promise<void>;
  blockedMsMax(): number;
  readonly written: ReadonlyMap<string, string>;
}

function createHonestClient(east: Region, west: Region): HonestClient {
  const written = new Map<string, string>();
  let number = 0;
  let blockedMsMax = 0;
  return {
    written,
    blockedMsMax: () => blockedMsMax,
    async writeAndWait() {
      number += 1;
      const startedMs = performance.now();
      const label = `honest ${number}`;
      const write = async (own: Region, other: Region): Promise<void> => {
        const entityId = `honest-${own.region}-${number % 100}`;
        await own.table.put(entityId, { label });
        written.set(entityId, label);
        await until(
          async () => (await other.table.get(entityId))?.entity.label === label,
          BLOCKED_MS_MAX,
        );
      };
      await Promise.all([write(east, west), write(west, east)]);
      blockedMsMax = Math.max(blockedMsMax, performance.now() - startedMs);
    },
  };
}

async function isQuiet(bus: MemoryBus, ...regions: readonly Region[]): Promise<boolean> {
  for (const { region, outbox } of regions) {
    for (const bucket of outbox.buckets) {
      const { entries } = await outbox.scan({ bucket, limit: 1 });
      if (entries.length > 0) return false;
    }
    // Watermarks come all the time. A set is settled when row and archive are written, and not before.
    const waiting = await bus.viewerFor(region).peek('messages', 0n, MESSAGES_PEEKED);
    if (waiting.some(({ subject }) => subject !== 'watermark')) return false;
  }
  return true;
}

interface Ended {
  readonly east: { readonly region: Region; readonly outcomes: Outcomes };
  readonly west: { readonly region: Region; readonly outcomes: Outcomes };
  readonly honest: HonestClient;
  readonly bus: MemoryBus;
}

async function findViolation({ east, west, honest, bus }: Ended): Promise<string> {
  if (honest.blockedMsMax() > BLOCKED_MS_MAX) return 'I15: what is honest waited too long';
  for (const [entityId, label] of honest.written) {
    for (const { region } of [east, west]) {
      if ((await region.openTable().get(entityId))?.entity.label === label) continue;
      return `I1: ${entityId} is not what was acknowledged in ${region.region}`;
    }
  }
  const [inEast, inWest] = [east, west].map(({ outcomes }) => outcomesOf(outcomes.of));
  for (const [name, outcome] of inEast ?? []) {
    const other = inWest?.get(name);
    if (other !== outcome) return `I17: ${name} is ${outcome} in east and ${other} in west`;
  }
  const before = await findDifference(east.region, west.region);
  if (before !== undefined) return before;
  // Whatever stands in a row can be written, and every region takes what is then sent.
  await touchAll(east.region);
  if (!(await until(() => isQuiet(bus, east.region, west.region), SETTLE_MS_MAX))) {
    return 'I13: the last writes did not drain';
  }
  const [refused] = [...east.outcomes.honestRefused, ...west.outcomes.honestRefused];
  if (refused !== undefined) return `I17: a region refused what another sent: ${refused}`;
  return (await findDifference(east.region, west.region)) ?? 'held';
}

/** Which fragment of a set is the last, and refused with it, is for each region to find: the set is judged. */
function outcomesOf(of: Outcomes['of']): ReadonlyMap<string, string> {
  const bySet = Map.groupBy(of, ([messageId]) => messageId.split('/').slice(0, 2).join('/'));
  return new Map(
    [...bySet].map(([name, own]) => [
      name,
      own
        .map(([, outcome]) => outcome)
        .toSorted()
        .join(),
    ]),
  );
}

async function touchAll(region: Region): Promise<void> {
  const own = recoveryOf(region);
  for (const bucket of own.buckets) {
    for await (const scanned of own.rows.scan(bucket)) {
      if (scanned.kind === 'damaged') throw new Error(`the row ${scanned.rowKey} cannot be read`);
      await region.table.patch(scanned.row.entityId, { temperature: 1 });
    }
  }
}

async function findDifference(east: Region, west: Region): Promise<string | undefined> {
  const regions = [recoveryOf(east), recoveryOf(west)];
  const report = await verifyRegions({
    regions,
    buckets: bucketNames(MEMORY_BUCKET_COUNT),
    clock,
    createDigest: () => {
      const hash = createHash('sha256');
      return { update: (text) => void hash.update(text), hex: () => hash.digest('hex') };
    },
    tombstoneAgeMs: Number.POSITIVE_INFINITY,
    recheckCountMax: 20,
    recheckDelayMs: 200,
  });
  if (!report.isEqual) {
    const { differences, buckets, journals } = report;
    return `I2: regions differ: ${JSON.stringify({ rows: differences[0] ?? buckets, journals })}`;
  }
  const archives = await Promise.all(regions.map(archiveOf));
  if (archives[0] !== archives[1]) return 'I2: archives differ';
  for (const region of [east, west]) {
    try {
      await expectReplayable(region, deviceKind);
    } catch (error) {
      return `I5: replaying ${region.region} gives other rows: ${String(error).slice(0, 500)}`;
    }
  }
  return undefined;
}

function recoveryOf({ region, store }: Region): RecoveryRegion {
  return createRecoveryRegion({
    region,
    store,
    kind: deviceKind,
    bucketCount: MEMORY_BUCKET_COUNT,
  });
}

async function archiveOf(region: RecoveryRegion): Promise<string> {
  const hash = createHash('sha256');
  for (const bucket of region.buckets) {
    for await (const row of region.archive.scan({ entityKind: region.entityKind, bucket })) {
      hash.update(`${row.partitionKey}/${row.rowKey}/${row.kind}`);
      if (row.kind === 'set') hash.update(row.encoded);
    }
  }
  return hash.digest('hex');
}

function watchHeap(signal: AbortSignal): { bytesMax(): number } {
  let bytesMax = 0;
  const timer = setInterval(() => {
    bytesMax = Math.max(bytesMax, process.memoryUsage().heapUsed);
  }, HEAP_SAMPLE_MS);
  signal.addEventListener('abort', () => clearInterval(timer));
  return { bytesMax: () => bytesMax };
}

async function until(isSo: () => Promise<boolean>, waitMsMax: number): Promise<boolean> {
  const endMs = performance.now() + waitMsMax;
  while (!(await isSo())) {
    if (performance.now() > endMs) return false;
    await clock.sleep(POLL_MS);
  }
  return true;
}

const [messages = 0, seed = 1] = process.argv.slice(2).map(Number);
process.stdout.write(`${JSON.stringify(await run(messages, seed))}\n`);
