import {
  catalogKind,
  createHybridClock,
  type EntityKind,
  isMoving,
  isReplicated,
  type MergePolicy,
  type TableGeneration,
  TerminalError,
  TransientError,
  type TypedKind,
} from '@tandem/core';
import { createWriterId } from '@tandem/service-kit';
import {
  createOpenTable,
  createReplicatedTable,
  createStateTable,
  createTableArchive,
  createTableCatalogue,
  type ForgettingTable,
  type OpenTable,
  type OpenTableOptions,
  type ReplicatedTable,
  type RestoringTable,
  restoringOpen,
  restoringTyped,
  type StateTableOptions,
  type TableCatalogue,
} from '@tandem/storage';
import { NotFoundError, UsageError } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import type { Session } from '../session.ts';
import { readPeerNames } from './read-peer-names.ts';
import type { CliRegion } from './region.ts';
import { readDurationMs, readSettingText, readWireVersion } from './region.ts';

type Writing = Pick<Io, 'clock' | 'randomness'>;

/**
 * Opens the region's own table to write to as its API does: what is written is owed to every peer, and the
 * region's replicator sends it within seconds. Throws `CONFIGURATION_INVALID`.
 */
async function openWriter<K extends TypedKind>(
  region: CliRegion,
  kind: K,
  io: Writing,
): Promise<ReplicatedTable<K>> {
  return createReplicatedTable({ ...(await readOptions(region, kind, io)), kind });
}

/**
 * Opens what restores rows: of a typed kind, or of one table of clients. Throws `UsageError` for rows of which nobody
 * knows how they merge, since no table of them was named.
 */
export async function openRestoring(
  region: CliRegion,
  { kind, table, io }: Pick<Session, 'kind' | 'table' | 'io'>,
): Promise<RestoringTable> {
  if (kind.form === 'typed') return restoringTyped(kind, await openWriter(region, kind, io));
  const { policy } = requireNamed({ kind, table });
  return restoringOpen(createStateTable(await readOptions(region, kind, io)), policy);
}

/** Throws `UsageError` where it is about all rows of a kind that holds the tables of clients. */
export function requireNamed({ kind, table }: Pick<Session, 'kind' | 'table'>): {
  readonly policy: MergePolicy;
} {
  if (table !== undefined) return table;
  if (kind.form === 'typed') return { policy: kind.policy };
  throw new UsageError(
    `Name one table of clients: ${kind.name} holds the rows of all, and each merges by its own policy.`,
  );
}

/** Opens the same of a kind of any form, to forget what is in it. */
export async function openForgetting(
  region: CliRegion,
  kind: EntityKind,
  io: Writing,
): Promise<ForgettingTable> {
  const states = createStateTable(await readOptions(region, kind, io));
  const write = { kind: 'forget' } as const;
  return { forget: (entityId) => states.write({ entityId, condition: undefined, write }) };
}

/** Opens one table of clients to be written to, as the region's endpoint does. */
export async function openClientWriter(
  region: CliRegion,
  { kind, tableId, policy }: Pick<OpenTableOptions, 'kind' | 'tableId' | 'policy'>,
  io: Writing,
): Promise<OpenTable> {
  const options = { ...(await readOptions(region, kind, io)), kind };
  return createOpenTable({ ...options, states: createStateTable(options), tableId, policy });
}

/** Opens the catalogue of a region, to be read and written to. */
export async function openCatalogue(session: Session, name: string): Promise<TableCatalogue> {
  const { clock } = session.io;
  const region = await session.openOne(name);
  const keepMs = await readDurationMs(region, 'Tables.DeletedKeepMs');
  const table = await openWriter(region, catalogKind, session.io);
  return createTableCatalogue({
    store: region.store,
    table,
    clock,
    keepMs: () => keepMs,
    onDamaged: ({ rowKey, problem }) => session.tell(`Skipped ${rowKey}: ${problem}`),
  });
}

/** Returns a living table as a region's catalogue has it now. Throws `NotFoundError` where there is none. */
export async function findTable(
  session: Session,
  region: string,
  name: string,
): Promise<{ readonly catalogue: TableCatalogue; readonly table: TableGeneration }> {
  const catalogue = await openCatalogue(session, region);
  const table = (await catalogue.findNow(name))?.table;
  if (table === undefined) throw new NotFoundError(`${region} has no table ${name}.`);
  return { catalogue, table };
}

/** Throws `UsageError` for a table whose rows lie in two spaces: who looks at one of them does not see what it is. */
export function requireAtRest({ name, move }: Pick<TableGeneration, 'name' | 'move'>): void {
  if (!isMoving(move)) return;
  throw new UsageError(
    `Table ${name} moves to another space, and is ${move.state}: until it is settled its rows lie in two. Finish it with tandem tables move.`,
  );
}

async function readOptions(
  region: CliRegion,
  kind: EntityKind,
  { clock, randomness }: Writing,
): Promise<StateTableOptions> {
  const { name, store, bucketCount } = region;
  const driftMsMax = await readDurationMs(region, 'Clock.DriftMsMax');
  return {
    kind,
    store,
    archive: createTableArchive({ store }),
    hybridClock: createHybridClock({
      region: name,
      writer: createWriterId(randomness),
      nowMs: () => clock.nowMs(),
      driftMsMax,
    }),
    clock,
    randomness,
    bucketCount,
    wireVersion: await readWireVersion(region),
    peers: isReplicated(kind.name) ? await findPeers(region, clock) : [],
    onCommitted: () => undefined,
  };
}

/**
 * Finds whom a write is owed to; one that is owed to nobody would stay here for ever, and is not
 * made by mistake.
 */
export async function findPeers(region: CliRegion, clock: Io['clock']): Promise<readonly string[]> {
  if ((await readSettingText(region, 'Customer.DataAccess')) === 'single-region') return [];
  const peers = await readPeerNames(region, clock);
  if (peers.length > 0) return peers;
  throw new TerminalError(
    'CONFIGURATION_INVALID',
    `Nobody can tell which regions ${region.name} sends to: its replicator was never heard, and its ` +
      'Configuration names none. Start the replicator, or set Peers; or Customer.DataAccess to ' +
      'single-region.',
  );
}

interface OpenedPeers {
  readonly peers: readonly CliRegion[];
  /** Down, or without tables of ours. */
  readonly outOfReach: readonly string[];
}

/**
 * Opens all regions but that one, as far as they can be worked in. Throws `UsageError` for unlike
 * bucket counts.
 */
export async function openPeers(session: Session, target: CliRegion): Promise<OpenedPeers> {
  const { regions } = await session.inventory();
  const peers: CliRegion[] = [];
  const outOfReach: string[] = [];
  for (const { name } of regions) {
    if (name === target.name) continue;
    const peer = await openOrUndefined(session, name);
    if (peer === undefined) outOfReach.push(name);
    else if (peer.bucketCount === target.bucketCount) peers.push(peer);
    else throw new UsageError(`${name} and ${target.name} have different numbers of buckets.`);
  }
  return { peers, outOfReach };
}

async function openOrUndefined(session: Session, name: string): Promise<CliRegion | undefined> {
  try {
    const peer = await session.openAsIs(name);
    return peer.bucketCount > 0 ? peer : undefined;
  } catch (error) {
    if (error instanceof TransientError) return undefined;
    throw error;
  }
}
