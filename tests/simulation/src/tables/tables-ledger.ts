import {
  catalogKind,
  otherRowsKind,
  type RowOperation,
  rowsKind,
  type Transaction,
} from '@tandem/core';
import { ARCHIVE_TABLE, CONFLICTS_TABLE } from '@tandem/storage';
import { HORIZON_PARTITION } from '@tandem/storage/testing';
import { joinStates, type RawState, type RawValue, regionOf } from '../observe/raw-state.ts';
import { readRawChangeSet, toRaw } from '../observe/read-raw.ts';
import { OUTBOX_PREFIX } from '../world/describe-transaction.ts';
import type { World } from '../world/world.ts';

/** One row of an open table as a store has it, read without any of the product's code. */
export interface RawOpenRow {
  readonly isAlive: boolean;
  /** Of the clients' properties. */
  readonly values: ReadonlyMap<string, RawValue>;
  /** By region. */
  readonly vector: ReadonlyMap<string, string>;
  readonly request: string | undefined;
  /** Every column, as one text, but for what is a region's own. */
  readonly text: string;
}

/** A record of the catalogue as a store has it. */
interface RawRecord {
  readonly columns: ReadonlyMap<string, RawValue>;
  readonly text: string;
  /** Since when (true time) it is there. */
  readonly sinceMs: number;
}

interface OpenCommit {
  readonly stamp: string;
  readonly entityId: string;
  readonly state: RawState;
}

export interface TablesView {
  /** By id, tombstones included. */
  readonly rows: Map<string, RawOpenRow>;
  /** Are those in the space that a table moves to, by id. */
  readonly movedRows: Map<string, RawOpenRow>;
  /** Is what was ever archived of those: all states of each of them, joined, by id. */
  readonly movedStates: Map<string, RawState>;
  readonly records: Map<string, RawRecord>;
  readonly outboxKeys: Set<string>;
  /** Rows that were ever taken away. */
  readonly removed: Set<string>;
  /** Stamps of what was ever archived of rows. */
  readonly archived: Set<string>;
  /** How far back the archive says to go, in milliseconds, by table id; of all others under the empty one. */
  readonly archiveFromMs: Map<string, number>;
}

/** What happens to rows and records as their stores see it. */
interface TablesListener {
  /** Told of what a region itself has committed, before any of it is known. */
  onCommit?(region: string, commit: OpenCommit): void;
  onRow(region: string, id: string, row: RawOpenRow, site: string): void;
  onRemoved?(region: string, id: string, before: RawOpenRow | undefined): void;
  /** Told of a record before it is known. */
  onRecord?(region: string, id: string): void;
  onRecordGone?(region: string, id: string): void;
  onTrimmed?(region: string, stamp: string): void;
}

/** What is truly in the open tables and in the catalogue of each region, whatever anybody was told. */
export interface TablesLedger {
  readonly commits: ReadonlyMap<string, readonly OpenCommit[]>;
  /** All commits of a row joined. */
  readonly truth: ReadonlyMap<string, RawState>;
  /** By stamp of a whole transaction: its rows. */
  readonly members: ReadonlyMap<string, readonly string[]>;
  regionNamed(name: string): TablesView;
  listen(listener: TablesListener): void;
}

export function createTablesLedger(world: World): TablesLedger {
  const commits = new Map<string, OpenCommit[]>();
  const truth = new Map<string, RawState>();
  const members = new Map<string, readonly string[]>();
  const views = new Map<string, TablesView>();
  const listeners: TablesListener[] = [];

  const noteCommit = (
    region: string,
    operation: Exclude<RowOperation, { kind: 'delete' }>,
  ): void => {
    const { stamp, isWhole, changes } = readRawChangeSet(operation.properties);
    if (isWhole)
      members.set(
        stamp,
        changes.map(({ entityId }) => entityId),
      );
    for (const { entityId, state } of changes) {
      for (const one of listeners) one.onCommit?.(region, { stamp, entityId, state });
      commits.set(entityId, [...(commits.get(entityId) ?? []), { stamp, entityId, state }]);
      truth.set(entityId, joinStates(truth.get(entityId), state));
    }
  };

  const noteRows = (region: string, { table, operations }: Transaction, site: string): void => {
    const view = views.get(region) as TablesView;
    const rows = table === otherRowsKind.name ? view.movedRows : view.rows;
    for (const operation of operations) {
      const { rowKey, kind } = operation;
      if (kind === 'insert' && rowKey.startsWith(OUTBOX_PREFIX)) noteCommit(region, operation);
    }
    for (const operation of operations) {
      const { rowKey, kind } = operation;
      if (isSystem(rowKey)) noteOutbox(view, operation);
      else if (kind === 'delete') {
        const before = rows.get(rowKey);
        rows.delete(rowKey);
        view.removed.add(rowKey);
        for (const one of listeners) one.onRemoved?.(region, rowKey, before);
      } else rows.set(rowKey, readRawOpenRow(operation.properties));
    }
    for (const { rowKey } of operations) {
      const row = isSystem(rowKey) ? undefined : rows.get(rowKey);
      if (row !== undefined) for (const one of listeners) one.onRow(region, rowKey, row, site);
    }
  };

  const noteRecords = (region: string, { operations }: Transaction, site: string): void => {
    const view = views.get(region) as TablesView;
    for (const operation of operations) {
      const { rowKey } = operation;
      if (isSystem(rowKey)) noteOutbox(view, operation);
      else if (operation.kind === 'delete' || operation.properties.has('_deleted')) {
        for (const one of listeners) one.onRecordGone?.(region, idOf(rowKey));
      } else {
        const columns = columnsOf(operation.properties);
        const isNew = operation.kind === 'insert' && !view.records.has(idOf(rowKey));
        const isOwn = site.startsWith('tables.');
        if (isNew && isOwn) for (const one of listeners) one.onRecord?.(region, idOf(rowKey));
        const text = textOf(columns);
        const sinceMs = view.records.get(idOf(rowKey))?.sinceMs ?? world.scheduler.nowMs();
        view.records.set(idOf(rowKey), { columns, text, sinceMs });
      }
    }
  };

  for (const { name, account } of world.regions) {
    const view: TablesView = {
      rows: new Map(),
      movedRows: new Map(),
      movedStates: new Map(),
      records: new Map(),
      outboxKeys: new Set(),
      removed: new Set(),
      archived: new Set(),
      archiveFromMs: new Map(),
    };
    views.set(name, view);
    account.onCommitted((transaction, site) => {
      const { table, partitionKey, operations } = transaction;
      if (table === rowsKind.name || table === otherRowsKind.name)
        noteRows(name, transaction, site);
      if (table === catalogKind.name) noteRecords(name, transaction, site);
      if (table === ARCHIVE_TABLE && partitionKey === HORIZON_PARTITION) {
        for (const operation of operations) noteHorizon(view, operation);
      }
      if (table === ARCHIVE_TABLE && partitionKey.startsWith(`${otherRowsKind.name}-`)) {
        for (const operation of operations) noteMovedStates(view, operation);
      }
      if (table !== ARCHIVE_TABLE || !partitionKey.startsWith(`${rowsKind.name}-`)) return;
      for (const { kind, rowKey } of operations) {
        if (kind !== 'delete') view.archived.add(rowKey);
        else for (const one of listeners) one.onTrimmed?.(name, rowKey);
      }
    });
  }
  return {
    commits,
    truth,
    members,
    regionNamed: (name) => views.get(name) as TablesView,
    listen: (listener) => void listeners.push(listener),
  };
}

const TABLES: readonly string[] = [catalogKind.name, rowsKind.name, otherRowsKind.name];

/** Whether a transaction is of the catalogue or of open rows, which nobody else looks at. */
export function isOfTables({ table, partitionKey, operations }: Transaction): boolean {
  if (TABLES.includes(table)) return true;
  if (table !== ARCHIVE_TABLE && table !== CONFLICTS_TABLE) return false;
  if (partitionKey !== HORIZON_PARTITION) return isPartitionOfTables(partitionKey);
  return operations.every(({ rowKey }) => TABLES.includes(rowKey.split('~')[0] ?? ''));
}

function noteHorizon({ archiveFromMs }: TablesView, operation: RowOperation): void {
  const [kind, tableId = ''] = operation.rowKey.split('~');
  const from = operation.kind === 'delete' ? undefined : operation.properties.get('wholeFrom');
  if (kind !== rowsKind.name || from?.type !== 'String') return;
  archiveFromMs.set(tableId, Date.parse(from.value));
}

function noteMovedStates({ movedStates }: TablesView, operation: RowOperation): void {
  if (operation.kind === 'delete') return;
  for (const { entityId, state } of readRawChangeSet(operation.properties).changes) {
    movedStates.set(entityId, joinStates(movedStates.get(entityId), state));
  }
}

/** Of the archive, or of the journal of conflicts. */
export function isPartitionOfTables(partitionKey: string): boolean {
  return TABLES.some((name) => partitionKey.startsWith(`${name}-`));
}

function noteOutbox(view: TablesView, { kind, rowKey }: RowOperation): void {
  if (kind === 'delete') view.outboxKeys.delete(rowKey);
  else view.outboxKeys.add(rowKey);
}

function isSystem(rowKey: string): boolean {
  return rowKey.startsWith('~');
}

type Columns = Exclude<RowOperation, { kind: 'delete' }>['properties'];

function columnsOf(properties: Columns): ReadonlyMap<string, RawValue> {
  const columns = [...properties].filter(([name]) => name !== 'referenceId');
  return new Map(columns.map(([name, value]) => [name, toRaw(value)]));
}

function textOf(columns: ReadonlyMap<string, RawValue>): string {
  return JSON.stringify([...columns].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What a packed row looks like is written down here once more. */
interface Packed {
  readonly s: readonly string[];
  readonly v?: number;
  readonly a?: number;
  readonly d?: number;
  readonly q?: string;
}

function readRawOpenRow(properties: Columns): RawOpenRow {
  const columns = columnsOf(properties);
  const packed = columns.get('_t')?.[1];
  const { s, v = 1, a, d, q } = JSON.parse(String(packed)) as Packed;
  const stampAt = (place: number | undefined): string =>
    place === undefined ? '' : (s[place] ?? '');
  const values = [...columns].filter(([name]) => name !== '_t' && name !== '_ts');
  return {
    isAlive: stampAt(a) > stampAt(d),
    values: new Map(values),
    vector: new Map(s.slice(0, v).map((stamp) => [regionOf(stamp), stamp])),
    request: q,
    text: JSON.stringify([
      s.slice(0, v).toSorted(),
      stampAt(a),
      stampAt(d),
      textOf(new Map(values)),
      q ?? null,
    ]),
  };
}

/** A record's id is its row key, in which a tilde is written otherwise. */
function idOf(rowKey: string): string {
  return rowKey.replaceAll('=7E', '~');
}
