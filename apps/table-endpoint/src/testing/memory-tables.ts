import { type FieldValue, matches } from '@tandem/core';
import {
  entityTagOf,
  type ServiceProperties,
  type SignedIdentifier,
  type StoredEntity,
} from '@tandem/table-protocol';
import type {
  Keys,
  RowCondition,
  RowPage,
  RowQuery,
  RowWrite,
  ServedTable,
  ServedTables,
  WriteAnswer,
} from '../served-tables.ts';

/** Returns served tables that one process keeps for itself: for tests of the protocol alone. */
export function createMemoryTables(): ServedTables {
  const tables = new Map<string, MemoryTable>();
  let properties: ServiceProperties = {};
  return {
    find: async (name) => tables.get(name.toLowerCase()),
    list: async () => [...tables.keys()].toSorted().map((name) => tables.get(name)?.name ?? name),
    async create(name) {
      if (tables.has(name.toLowerCase())) return false;
      tables.set(name.toLowerCase(), new MemoryTable(name));
      return true;
    },
    remove: async (name) => tables.delete(name.toLowerCase()),
    async setPolicies(name, policies) {
      const table = tables.get(name.toLowerCase());
      if (table !== undefined) table.policies = policies;
      return table !== undefined;
    },
    properties: async () => properties,
    async setProperties(set) {
      properties = set;
    },
    syncedAt: async () => new Date(),
  };
}

class MemoryTable implements ServedTable {
  readonly name: string;
  policies: readonly SignedIdentifier[] = [];
  #rows = new Map<string, StoredEntity>();
  #clock = 0;

  constructor(name: string) {
    this.name = name;
  }

  async get(keys: Keys): Promise<StoredEntity | undefined> {
    return this.#rows.get(addressOf(keys));
  }

  async query({ where, cursor, limit }: RowQuery): Promise<RowPage> {
    const from = cursor === undefined ? undefined : (JSON.parse(cursor) as Keys);
    const meant = [...this.#rows.values()]
      .toSorted((a, b) => compareKeys(a, b))
      .filter((row) => from === undefined || compareKeys(row, from) >= 0)
      .filter((row) => matches(where, (name) => valueIn(row, name)));
    const next = meant[limit];
    const { partitionKey, rowKey } = next ?? { partitionKey: '', rowKey: '' };
    return {
      rows: meant.slice(0, limit),
      cursor: next && JSON.stringify({ partitionKey, rowKey }),
    };
  }

  async write(writes: readonly RowWrite[]): Promise<WriteAnswer> {
    const after = new Map(this.#rows);
    const rows: (StoredEntity | undefined)[] = [];
    // What is written together has one time.
    this.#clock += 1;
    for (const [index, write] of writes.entries()) {
      const stored = after.get(addressOf(write.keys));
      const why = whyRefused(write.condition, stored, write.kind === 'delete');
      if (why !== undefined) return { kind: 'refused', index, why };
      const row = this.#written(write, stored);
      rows.push(row);
      if (row === undefined) after.delete(addressOf(write.keys));
      else after.set(addressOf(write.keys), row);
    }
    this.#rows = after;
    return { kind: 'done', rows };
  }

  #written(write: RowWrite, stored: StoredEntity | undefined): StoredEntity | undefined {
    if (write.kind === 'delete') return undefined;
    const digits = String(this.#clock).padStart(7, '0').replace(/0+$/, '');
    const timestamp = `2026-02-02T00:00:00.${digits}Z`;
    const kept = write.kind === 'merge' ? (stored?.properties ?? []) : [];
    const properties = new Map([...kept, ...write.properties]);
    return { ...write.keys, timestamp, etag: entityTagOf(timestamp), properties };
  }
}

function whyRefused(
  condition: RowCondition,
  stored: StoredEntity | undefined,
  isDelete: boolean,
): 'exists' | 'missing' | 'other-version' | undefined {
  if (condition.kind === 'absent') return stored === undefined ? undefined : 'exists';
  if (condition.kind === 'none') return isDelete && stored === undefined ? 'missing' : undefined;
  if (stored === undefined) return 'missing';
  return condition.kind === 'tag' && condition.tag !== stored.etag ? 'other-version' : undefined;
}

function addressOf({ partitionKey, rowKey }: Keys): string {
  return JSON.stringify([partitionKey, rowKey]);
}

function compareKeys(a: Keys, b: Keys): number {
  const [left, right] =
    a.partitionKey === b.partitionKey ? [a.rowKey, b.rowKey] : [a.partitionKey, b.partitionKey];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function valueIn(row: StoredEntity, name: string): FieldValue | undefined {
  if (name === 'PartitionKey') return { type: 'String', value: row.partitionKey };
  if (name === 'RowKey') return { type: 'String', value: row.rowKey };
  if (name === 'Timestamp') return { type: 'DateTime', value: row.timestamp };
  return row.properties.get(name);
}
