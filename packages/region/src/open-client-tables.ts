// The tables of clients, put together for one process: the catalogue, and the rows of the kinds that hold them all.
import { AppError, catalogKind, type EntityKind, type Notices, TerminalError } from '@tandem/core';
import {
  createReplicatedTable,
  createStateTable,
  createTableCatalogue,
  type StateTableOptions,
  type TableCatalogue,
} from '@tandem/storage';
import { createSources } from './connections.ts';
import {
  type ConsistencyParts,
  createConsistency,
  openConsistency,
} from './consistency/consistency.ts';
import { createOpenTables, type OpenSpace, type OpenTables, SPACE_KINDS } from './open-tables.ts';
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
  const openSpace = (replicate: keyof typeof SPACE_KINDS): OpenSpace => {
    const kind = SPACE_KINDS[replicate];
    const rows = { kind, ...statesOf(kind) };
    return {
      rows: { ...rows, states: createStateTable(rows) },
      consistency: createConsistency(openConsistency(kind, parts)),
    };
  };
  const spaces = { all: openSpace('all'), none: openSpace('none') };
  const { configuration } = opened;
  const sources = createSources({ ...setup, configuration, clock });
  return { catalogue, openTables: createOpenTables({ ...parts, catalogue, spaces, sources }) };
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
