/** The tables of a region as the Table service has them: names from the catalogue, rows of an open kind. */
import { AppError, publicVersion, type TableGeneration } from '@tandem/core';
import type { FoundRegionTable, Region } from '@tandem/region';
import type { OpenOperation, OpenRecord, WriteCondition } from '@tandem/storage';
import {
  encodeAcl,
  encodeServiceProperties,
  parseAcl,
  parseServiceProperties,
  type ServiceProperties,
  type SignedIdentifier,
  type StoredEntity,
  TableError,
} from '@tandem/table-protocol';
import type {
  RowCondition,
  RowWrite,
  ServedTable,
  ServedTables,
  WriteAnswer,
} from './served-tables.ts';

/** What of a region its tables are served from. */
export type ServedRegion = Pick<
  Region<Readonly<Record<string, never>>>,
  'catalogue' | 'findTable' | 'syncedMs'
>;

export function createRegionServedTables(region: ServedRegion): ServedTables {
  return {
    async find(name) {
      const found = await region.findTable(name);
      return found && serve(found);
    },
    list: async () => (await region.catalogue.list()).map(({ name }) => name),
    create: async (name) => (await region.catalogue.create(name)).kind === 'created',
    remove: async (name) => (await region.catalogue.remove(name)) !== undefined,
    async setPolicies(name, policies) {
      return (await region.catalogue.change(name, { acl: encodeAcl(policies) })) !== undefined;
    },
    async properties() {
      const document = await region.catalogue.service();
      if (document === undefined) return {};
      return readable(() => parseServiceProperties(document), {});
    },
    async setProperties(properties: ServiceProperties) {
      try {
        await region.catalogue.setService(encodeServiceProperties(properties));
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'ENTITY_INVALID') throw error;
        throw new TableError('InvalidXmlDocument', error.message);
      }
    },
    async syncedAt() {
      const syncedMs = await region.syncedMs();
      return syncedMs === undefined ? undefined : new Date(syncedMs);
    },
  };
}

function serve({ table, rows }: FoundRegionTable): ServedTable {
  return {
    name: table.name,
    policies: policiesOf(table),
    async get(keys) {
      const record = await rows.get(keys);
      return record && toStoredEntity(record);
    },
    async query({ where, cursor, limit, select }) {
      const page = await rows.query({ where, cursor, limit, select: select && [...select] });
      return { rows: page.records.map(toStoredEntity), cursor: page.cursor };
    },
    async write(writes, request) {
      const done = await rows.transact(writes.map(toOperation), request);
      if (done.kind === 'refused') {
        return {
          kind: 'refused',
          index: done.index,
          why: whyRefused(writes[done.index], done.outcome),
        };
      }
      return {
        kind: 'done',
        rows: done.outcomes.map((outcome) =>
          'record' in outcome ? toStoredEntity(outcome.record) : undefined,
        ),
      };
    },
  };
}

/** Whoever wrote it, and however it came here: what nobody can read lets nobody in. */
function policiesOf({ acl }: TableGeneration): readonly SignedIdentifier[] {
  return acl === undefined ? [] : readable(() => parseAcl(acl), []);
}

/** A document that is kept is not the caller's fault, so it fails no request of his. */
function readable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof TableError) return otherwise;
    throw error;
  }
}

function toStoredEntity({ partitionKey, rowKey, values, version }: OpenRecord): StoredEntity {
  return { partitionKey, rowKey, ...publicVersion(version), properties: values };
}

function toOperation(write: RowWrite): OpenOperation {
  const { keys } = write;
  const condition = conditionOf(write.condition);
  if (write.kind === 'delete') return { kind: 'remove', ...keys, condition };
  const kind = write.kind === 'replace' ? 'put' : 'merge';
  return { kind, ...keys, values: write.properties, condition };
}

function conditionOf(condition: RowCondition): WriteCondition | undefined {
  switch (condition.kind) {
    case 'none':
      return undefined;
    case 'tag':
      return { kind: 'etag', etag: condition.tag };
    case 'absent':
    case 'present':
    default:
      return { kind: condition.kind };
  }
}

type Refusal = Extract<WriteAnswer, { kind: 'refused' }>['why'];

function whyRefused(
  write: RowWrite | undefined,
  outcome: {
    readonly kind: 'not-found' | 'condition-failed';
    readonly current?: OpenRecord | undefined;
  },
): Refusal {
  if (write?.condition.kind === 'absent') return 'exists';
  return outcome.current === undefined ? 'missing' : 'other-version';
}
