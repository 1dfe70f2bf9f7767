// The tables of clients, put together for one process: the catalogue, and the rows of the kinds that hold them all.
import {
  AppError,
  catalogKind,
  type EntityKind,
  type Notices,
  type OpenKind,
  type Replica,
  type TableSpaces,
  TerminalError,
} from '@tandem/core';
import {
  createOtherSpace,
  createReplicatedTable,
  createRowMemory,
  createStateTable,
  createTableCatalogue,
  createTableReplica,
  type OtherSpace,
  type StateTable,
  type StateTableOptions,
  type TableCatalogue,
} from '@tandem/storage';
import { createSources } from './connections.ts';
import {
  type ConsistencyParts,
  createConsistency,
  openConsistency,
} from './consistency/consistency.ts';
import { createOpenTables, type OpenSpace, type OpenTables } from './open-tables.ts';
import type { RegionKinds, RegionSetup } from './region-options.ts';

export type StatesOptions = Omit<StateTableOptions, 'kind'>;

interface ClientParts extends ConsistencyParts {
  readonly notices: Notices;
  readonly statesOf: (kind: EntityKind) => StatesOptions;
}

/** Opens the catalogue, and the tables that it names. */
export function openClientTables(
  setup: Pick<RegionSetup, 'quiet' | 'openSource' | 'randomness'>,
  parts: ClientParts,
): { readonly catalogue: TableCatalogue; readonly openTables: OpenTables } {
  const { quiet: logger } = setup;
  const { store, clock, opened, notices, statesOf } = parts;
  const catalogue = createTableCatalogue({
    store,
    clock,
    table: createReplicatedTable({ kind: catalogKind, ...statesOf(catalogKind) }),
    keepMs: () => opened.configuration.get('Tables.DeletedKeepMs'),
    onRefreshFailed: (error) =>
      logger.warn(
        { event: 'catalogue-not-refreshed', error },
        'The catalogue could not be read again; tables are asked for by name.',
      ),
    onDamaged: ({ partitionKey, rowKey, problem }) =>
      notices.note('row-foreign', `${catalogKind.name}/${partitionKey}/${rowKey}`, problem),
  });
  const spaceOf = createSpaces(parts);
  const { configuration } = opened;
  const sources = createSources({ ...setup, configuration, clock });
  return { catalogue, openTables: createOpenTables({ ...parts, catalogue, spaceOf, sources }) };
}

/** What the rows of one kind are read and written by in this process. */
interface KindRows {
  readonly rows: StatesOptions & { readonly kind: OpenKind; readonly states: StateTable };
  /** Shares what the writer remembers. */
  readonly replica: Replica;
}

/** Returns what opens the space that a table lies in, or the two that it moves between: each once, for all tables. */
function createSpaces(
  parts: ConsistencyParts & Pick<ClientParts, 'statesOf'>,
): (spaces: TableSpaces) => OpenSpace | undefined {
  const { tables, statesOf } = parts;
  const opened = new Map<string, KindRows>();
  const joined = new Map<string, OpenSpace>();
  const rowsOf = (kind: OpenKind): KindRows => {
    const known = opened.get(kind.name);
    if (known !== undefined) return known;
    const options = { kind, memory: createRowMemory(), ...statesOf(kind) };
    const made = {
      rows: { ...options, states: createStateTable(options) },
      replica: createTableReplica(options),
    };
    opened.set(kind.name, made);
    return made;
  };
  return ({ own, other }) => {
    // Each request asks.
    const key = other === undefined ? own.name : `${own.name},${other.name}`;
    const known = joined.get(key);
    if (known !== undefined) return known;
    const kinds = [own, ...(other === undefined ? [] : [other])];
    if (kinds.some(({ name }) => !tables.replicas.has(name))) return undefined;
    const { rows, replica: into } = rowsOf(own);
    const space = {
      rows: { ...rows, other: other && openOther(rowsOf(other), into, parts) },
      consistency: createConsistency(openConsistency(own, parts, other)),
    };
    joined.set(key, space);
    return space;
  };
}

function openOther(
  { rows, replica }: KindRows,
  into: Replica,
  { tables: { conflicts } }: ConsistencyParts,
): OtherSpace {
  return createOtherSpace({ ...rows, replica, into, conflicts });
}

/** Throws `CONFIGURATION_INVALID` for a table that is there already, and otherwise than it is declared. */
export async function createDeclared(
  tables: RegionKinds,
  catalogue: TableCatalogue,
): Promise<void> {
  for (const one of Object.values(tables)) {
    if (one.form !== 'declared') continue;
    try {
      await catalogue.create(one.name, one.settings);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'TABLE_REQUEST_INVALID') throw error;
      throw new TerminalError('CONFIGURATION_INVALID', error.message, { cause: error });
    }
  }
}
