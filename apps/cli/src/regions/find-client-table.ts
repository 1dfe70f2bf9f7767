import {
  AppError,
  type Catalogue,
  catalogKind,
  currentTable,
  type EntityKind,
  formatGeneration,
  localRowsKind,
  openTableId,
  rowsKind,
  type TableGeneration,
  tableKeyOf,
} from '@tandem/core';
import { readTables } from '@tandem/storage';
import type { Session } from '../session.ts';
import { UsageError } from '../usage-error.ts';
import { type ClientTable, chooseKind } from './choose-kind.ts';

/**
 * Finds the table that a name stands for: of the catalogues that can be read the highest generation, one that lives
 * before one that was deleted. Throws `UsageError` where none knows the name.
 */
export async function findClientTable(
  session: Session,
  name: string,
): Promise<{ readonly kind: EntityKind; readonly table: ClientTable }> {
  const key = readKey(name);
  const { regions } = await session.inventory();
  const all: TableGeneration[] = [];
  const silent: string[] = [];
  for (const region of regions) {
    const catalogue = await readCatalogueOf(session, region.name);
    if (catalogue === undefined) silent.push(region.name);
    all.push(...(catalogue?.get(key) ?? []));
  }
  const known = all.toSorted((a, b) => a.generation - b.generation);
  const found = currentTable(known) ?? known.findLast(({ createdMs }) => createdMs !== undefined);
  if (found === undefined) {
    const unread = silent.length === 0 ? '' : ` Without an answer: ${silent.join(', ')}.`;
    throw new UsageError(`No catalogue has a table "${name}".${unread}`);
  }
  return {
    kind: found.replicate === 'none' ? localRowsKind : rowsKind,
    table: {
      name: found.name,
      policy: found.policy,
      tableId: openTableId(key, formatGeneration(found.rowsOf)),
    },
  };
}

/** What is no name of a table is none of a kind either. */
function readKey(name: string): string {
  try {
    return tableKeyOf(name);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    chooseKind(name);
    throw error;
  }
}

/** Returns undefined for a region that does not answer, or has no catalogue. */
async function readCatalogueOf(session: Session, region: string): Promise<Catalogue | undefined> {
  try {
    return await readTables({ store: (await session.of(catalogKind).openAsIs(region)).store });
  } catch (error) {
    const isAway = error instanceof AppError && (error.retryable || error.code === 'TABLE_MISSING');
    if (isAway) return undefined;
    throw error;
  }
}
