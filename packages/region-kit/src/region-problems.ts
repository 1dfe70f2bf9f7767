import { AppError, readPastedText } from '@tandem/core';
import type { Environment } from '@tandem/service-kit';
import { environmentNameOf, findOverrideProblems, tandemSettings } from '@tandem/storage';
import { openStore } from './open-store.ts';

/** What a process of a region reads of its environment. */
export type ConfigReading<C> =
  | { readonly ok: true; readonly config: C }
  /** A sentence each, with variable, rule and example. */
  | { readonly ok: false; readonly problems: readonly string[] };

const DATA_ACCESS_VARIABLE = environmentNameOf('Customer.DataAccess');
const STORAGE_MISSING =
  'STORAGE_CONNECTION is not set: it must be a connection string or the URL of the tables of an ' +
  'account, for example STORAGE_CONNECTION=https://tandemeast.table.core.windows.net ' +
  `(or set ${DATA_ACCESS_VARIABLE}=memory to keep nothing).`;

/**
 * What every process of a region asks of its environment, besides what its own schema says: where the
 * tables are, unless nothing is kept, and well-formed overrides of settings. Connects to nothing.
 */
export function findRegionProblems(environment: Environment): string[] {
  return [
    ...findStorageProblems(environment),
    ...findOverrideProblems(tandemSettings, environment),
  ];
}

function findStorageProblems(environment: Environment): string[] {
  const read = readPastedText(environment['STORAGE_CONNECTION'] ?? '');
  // Whoever reads it with its own schema says so.
  if (read.kind === 'unreadable') return [];
  const connection = read.text;
  if (connection === '') {
    const access = readPastedText(environment[DATA_ACCESS_VARIABLE] ?? '');
    return access.kind === 'text' && access.text === 'memory' ? [] : [STORAGE_MISSING];
  }
  try {
    openStore(connection);
    return [];
  } catch (error) {
    if (error instanceof AppError) return [`STORAGE_CONNECTION cannot be used: ${error.message}`];
    throw error;
  }
}
