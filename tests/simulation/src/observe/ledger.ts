import type { RowOperation, Transaction } from '@tandem/core';
import { ARCHIVE_TABLE, CONFLICTS_TABLE } from '@tandem/storage';
import { HORIZON_PARTITION, UNTOLD_PREFIX } from '@tandem/storage/testing';
import { isOfTables } from '../tables/tables-ledger.ts';
import { OUTBOX_PREFIX, PARKED_PREFIX } from '../world/describe-transaction.ts';
import { gadgetKind, isClientsId } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import { isRawAlive, joinStates, type RawState } from './raw-state.ts';
import { describeColumns, readRawChangeSet, readRawRow, textOf } from './read-raw.ts';

/** One change of one entity, committed by a region for its clients. */
export interface Commit {
  readonly stamp: string;
  readonly region: string;
  readonly entityId: string;
  readonly operation: string;
  readonly state: RawState;
  /** One of a transaction that is taken whole. */
  readonly isWhole: boolean;
  /** True time. */
  readonly atMs: number;
}

interface RegionView {
  /** By entity: the row, tombstones included. */
  readonly rows: Map<string, RawState>;
  /** By entity: since when (true time) it was there for clients, and since when not. */
  readonly lives: Map<string, { readonly fromMs: number; readonly isAlive: boolean }[]>;
  /** By entity: when (true time) the store lost its row here, the last time last. */
  readonly lost: Map<string, number[]>;
  /** By entity: the deletion whose tombstone was collected here last. */
  readonly collected: Map<string, string>;
  readonly outboxKeys: Set<string>;
  /** Stamps of the change sets in the archive, those included that were trimmed. */
  readonly archived: Set<string>;
  /** Row keys of what was trimmed from the archive. */
  readonly trimmed: Set<string>;
  /** How far back the archive says to go, in milliseconds; 0 where nothing was ever trimmed. */
  archiveFromMs: number;
  /** What is recorded of conflicts, by key, as it is written. */
  readonly conflicts: Map<string, string>;
  /** By row key of a conflict: since when (true time) it is recorded here. */
  readonly recordedMs: Map<string, number>;
  /** By row key of a conflict: when (true time) the store lost the record last. */
  readonly unrecordedMs: Map<string, number>;
}

/** What is truly in the accounts, whatever anybody was told. */
export interface Ledger {
  readonly commits: readonly Commit[];
  /** By entity: all commits joined. */
  readonly truth: ReadonlyMap<string, RawState>;
  /** Those of one change set. */
  commitsUnder(stamp: string): readonly Commit[];
  commitsOf(entityId: string): readonly Commit[];
  regionNamed(name: string): RegionView;
  onTransaction(listener: TransactionListener): void;
  /** Of a change set, as its outbox row says: when its writer began to commit it. */
  committedAfterMs(stamp: string): number | undefined;
  /** Whether a change set of anybody was committed: one that is prepared is not until a row bears its mark. */
  isCommitted(stamp: string): boolean;
  /** Since when (true time), and until when, the outbox of a region told of a set as one that is only prepared. */
  preparedIn(region: string, stamp: string): Preparation | undefined;
}

interface Preparation {
  readonly fromMs: number;
  /** Infinite while it does. */
  readonly untilMs: number;
}

type TransactionListener = (region: string, transaction: Transaction, site: string) => void;

export function createLedger(world: World): Ledger {
  const commits: Commit[] = [];
  const byEntity = new Map<string, Commit[]>();
  const truth = new Map<string, RawState>();
  const byStamp = new Map<string, Commit[]>();
  const views = new Map<string, RegionView>();
  const listeners: TransactionListener[] = [];
  const committedAfter = new Map<string, number>();
  const committed = new Set<string>();
  /** By region and stamp. */
  const preparations = new Map<string, Preparation>();

  const noteCommittedAfter = (operation: RowOperation): void => {
    if (operation.kind === 'delete') return;
    const after = operation.properties.get('committedAfterMs');
    const stamp = operation.rowKey.slice(OUTBOX_PREFIX.length);
    if (after?.type === 'Int64') committedAfter.set(stamp, Number(after.value));
  };

  const noteCommit = (region: string, operation: RowOperation): void => {
    if (operation.kind === 'delete') return;
    const set = readRawChangeSet(operation.properties);
    noteCommittedAfter(operation);
    committed.add(set.stamp);
    for (const { entityId, operation: kind, state } of set.changes) {
      if (!isClientsId(entityId)) continue;
      const atMs = world.scheduler.nowMs();
      const { stamp, isWhole } = set;
      const commit = { stamp, region, entityId, operation: kind, state, isWhole, atMs };
      commits.push(commit);
      byStamp.set(set.stamp, [...(byStamp.get(set.stamp) ?? []), commit]);
      byEntity.set(entityId, [...(byEntity.get(entityId) ?? []), commit]);
      truth.set(entityId, joinStates(truth.get(entityId), state));
    }
  };

  /** By region and stamp: sets that are prepared, and are committed once a row bears their mark. */
  const prepared = new Map<string, RowOperation>();

  const notePreparation = (key: string, operation: RowOperation): void => {
    const isPrepared = operation.kind !== 'delete' && operation.properties.has('prepared');
    const known = preparations.get(key);
    const nowMs = world.scheduler.nowMs();
    if (isPrepared && known?.untilMs !== Number.POSITIVE_INFINITY)
      preparations.set(key, { fromMs: nowMs, untilMs: Number.POSITIVE_INFINITY });
    else if (!isPrepared && known?.untilMs === Number.POSITIVE_INFINITY)
      preparations.set(key, { ...known, untilMs: nowMs });
  };

  const noteOutbox = (region: string, view: RegionView, operation: RowOperation): void => {
    const { rowKey, kind } = operation;
    if (kind === 'delete') view.outboxKeys.delete(rowKey);
    else view.outboxKeys.add(rowKey);
    notePreparation(`${region} ${rowKey.slice(OUTBOX_PREFIX.length)}`, operation);
    if (kind !== 'insert' || !rowKey.startsWith(OUTBOX_PREFIX)) return;
    if (!operation.properties.has('prepared')) noteCommit(region, operation);
    else {
      prepared.set(`${region} ${rowKey.slice(OUTBOX_PREFIX.length)}`, operation);
      noteCommittedAfter(operation);
    }
  };

  const noteMark = (region: string, operation: RowOperation): void => {
    if (operation.kind === 'delete') return;
    const key = `${region} ${textOf(operation.properties, '_prepared') ?? ''}`;
    const outboxRow = prepared.get(key);
    if (outboxRow === undefined) return;
    prepared.delete(key);
    noteCommit(region, outboxRow);
  };

  const noteConflicts = (view: RegionView, { partitionKey, operations }: Transaction): void => {
    if (partitionKey.startsWith(UNTOLD_PREFIX)) return;
    for (const operation of operations) {
      // What was set aside is no record.
      if (operation.rowKey.startsWith('!')) continue;
      const key = `${partitionKey}/${operation.rowKey}`;
      if (operation.kind !== 'delete') {
        view.conflicts.set(key, describeColumns(operation.properties));
        const { rowKey } = operation;
        view.recordedMs.set(rowKey, view.recordedMs.get(rowKey) ?? world.scheduler.nowMs());
      }
    }
  };

  for (const region of world.regions) {
    const view: RegionView = {
      rows: new Map(),
      lives: new Map(),
      lost: new Map(),
      collected: new Map(),
      outboxKeys: new Set(),
      archived: new Set(),
      trimmed: new Set(),
      archiveFromMs: 0,
      conflicts: new Map(),
      recordedMs: new Map(),
      unrecordedMs: new Map(),
    };
    views.set(region.name, view);
    region.account.onLost((table, rowKey) => {
      if (table === ARCHIVE_TABLE) view.archived.delete(rowKey);
      if (table === CONFLICTS_TABLE && view.recordedMs.delete(rowKey))
        view.unrecordedMs.set(rowKey, world.scheduler.nowMs());
      if (table !== gadgetKind.name) return;
      const nowMs = world.scheduler.nowMs();
      view.rows.delete(rowKey);
      view.lost.set(rowKey, [...(view.lost.get(rowKey) ?? []), nowMs]);
      const lives = view.lives.get(rowKey) ?? [];
      view.lives.set(rowKey, [...lives, { fromMs: nowMs, isAlive: false }]);
    });
    region.account.onCommitted((transaction, site) => {
      if (isOfTables(transaction)) return;
      const { table, operations } = transaction;
      // No change set: how far back they go.
      if (table === ARCHIVE_TABLE && transaction.partitionKey === HORIZON_PARTITION) {
        for (const operation of operations) {
          const from =
            operation.kind === 'delete' ? undefined : operation.properties.get('wholeFrom');
          if (from?.type === 'String') view.archiveFromMs = Date.parse(from.value);
        }
        return;
      }
      for (const operation of table === ARCHIVE_TABLE ? operations : []) {
        if (operation.kind === 'delete') view.trimmed.add(operation.rowKey);
        else view.trimmed.delete(operation.rowKey);
        // What only stands for a change set lacks the rest of it.
        const isWhole =
          operation.kind !== 'delete' && operation.properties.get('standIn')?.value !== true;
        if (isWhole) view.archived.add(operation.rowKey);
      }
      if (table === CONFLICTS_TABLE) noteConflicts(view, transaction);
      if (table === gadgetKind.name) for (const one of operations) noteMark(region.name, one);
      for (const operation of table === gadgetKind.name ? operations : []) {
        const { rowKey } = operation;
        if (rowKey.startsWith(OUTBOX_PREFIX) || rowKey.startsWith(PARKED_PREFIX)) {
          noteOutbox(region.name, view, operation);
        } else if (operation.kind === 'delete') {
          view.collected.set(rowKey, view.rows.get(rowKey)?.deleted ?? '');
          view.rows.delete(rowKey);
        } else {
          const row = readRawRow(operation.properties);
          if (row === undefined) continue;
          view.rows.set(rowKey, row);
          const lives = view.lives.get(rowKey) ?? [];
          view.lives.set(rowKey, lives);
          const isAlive = isRawAlive(row);
          if (lives.at(-1)?.isAlive !== isAlive)
            lives.push({ fromMs: world.scheduler.nowMs(), isAlive });
        }
      }
      for (const listener of listeners) listener(region.name, transaction, site);
    });
  }

  return {
    commits,
    truth,
    commitsUnder: (stamp) => byStamp.get(stamp) ?? [],
    commitsOf: (entityId) => byEntity.get(entityId) ?? [],
    regionNamed: (name) => views.get(name) as RegionView,
    committedAfterMs: (stamp) => committedAfter.get(stamp),
    isCommitted: (stamp) => committed.has(stamp),
    preparedIn: (region, stamp) => preparations.get(`${region} ${stamp}`),
    onTransaction: (listener) => void listeners.push(listener),
  };
}
