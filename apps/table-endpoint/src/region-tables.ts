/** The tables of a region as the Table service has them: names from the catalogue, rows of an open kind. */
import {
  type FieldValue,
  formatGeneration,
  newestStamp,
  openTableId,
  publicETag,
  publicTimestamp,
  type TableGeneration,
} from '@tandem/core';
import type {
  FoundTable,
  OpenOperation,
  OpenRecord,
  OpenTable,
  TableCatalogue,
  WriteCondition,
} from '@tandem/storage';
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

export interface RegionTablesOptions {
  readonly catalogue: TableCatalogue;
  /** Opens the rows that ids beginning so name. */
  readonly openRows: (tableId: string, table: Pick<TableGeneration, 'policy'>) => OpenTable;
  /** The oldest time up to which everything written elsewhere is here; undefined where nobody knows. */
  readonly syncedAt: () => Promise<Date | undefined>;
}

/** No client's table can be called so: what the service keeps for itself has rows like any other. */
const SERVICE_TABLE_ID = openTableId('$service', formatGeneration(0));
const PROPERTIES_KEY = { partitionKey: 'service', rowKey: 'properties' };
const PROPERTIES_COLUMN = 'document';

export function createRegionServedTables(options: RegionTablesOptions): ServedTables {
  const { catalogue, openRows, syncedAt } = options;
  const service = openRows(SERVICE_TABLE_ID, { policy: 'row' });
  return {
    async find(name) {
      const found = await catalogue.find(name);
      return found && serve(found, options);
    },
    list: async () => (await catalogue.list()).map(({ name }) => name),
    create: async (name) => (await catalogue.create(name)).kind === 'created',
    remove: async (name) => (await catalogue.remove(name)) !== undefined,
    async setPolicies(name, policies) {
      return (await catalogue.change(name, { acl: encodeAcl(policies) })) !== undefined;
    },
    async properties() {
      const record = await service.get(PROPERTIES_KEY);
      const document = record?.values.get(PROPERTIES_COLUMN);
      if (document?.type !== 'String') return {};
      return readable(() => parseServiceProperties(document.value), {});
    },
    async setProperties(properties: ServiceProperties) {
      const value: FieldValue = { type: 'String', value: encodeServiceProperties(properties) };
      await service.put(PROPERTIES_KEY, new Map([[PROPERTIES_COLUMN, value]]));
    },
    syncedAt,
  };
}

function serve(found: FoundTable, { catalogue, openRows }: RegionTablesOptions): ServedTable {
  const { table } = found;
  const rows = openRows(openTableId(table.key, formatGeneration(table.rowsOf)), table);
  return {
    name: table.name,
    policies: policiesOf(table),
    async get(keys) {
      const record = await rows.get(keys);
      return record && toStoredEntity(record);
    },
    async query({ where, cursor, limit }) {
      const page = await rows.query({ where, cursor, limit });
      return { rows: page.records.map(toStoredEntity), cursor: page.cursor };
    },
    async write(writes) {
      const done = await rows.transact(writes.map(toOperation));
      // Nothing is acknowledged into a table that was deleted meanwhile.
      if (!(await catalogue.confirm(found))) throw new TableError('TableNotFound');
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
  const newest = newestStamp(version);
  return {
    partitionKey,
    rowKey,
    timestamp: newest === undefined ? '' : publicTimestamp(newest),
    etag: publicETag(version),
    properties: values,
  };
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
