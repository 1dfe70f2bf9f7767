/** The options of a query's address, which begin with a dollar sign. */
import { TableError } from '@tandem/table-protocol';

export interface QueryOptions {
  readonly filter: string | undefined;
  /** Undefined for all properties. */
  readonly select: ReadonlySet<string> | undefined;
}

const KNOWN: ReadonlySet<string> = new Set(['$filter', '$select', '$top', '$format']);

/** Throws `NotImplemented` for an option that the service has not. */
export function readQuery(query: ReadonlyMap<string, string>): QueryOptions {
  for (const name of query.keys()) {
    if (name.startsWith('$') && !KNOWN.has(name)) throw new TableError('NotImplemented');
  }
  const filter = query.get('$filter');
  const chosen = (query.get('$select') ?? '').trim();
  const names = chosen.split(',').map((name) => name.trim());
  return {
    filter: filter === undefined || filter.trim() === '' ? undefined : filter,
    select: chosen === '' || chosen === '*' ? undefined : new Set(names),
  };
}

/** Bounds the rows of one page, as the service does. */
const TOP_MAX = 1_000;

/** Throws `InvalidInput` for what is no number, or more than a page holds. */
export function topOf(query: ReadonlyMap<string, string>): number {
  const text = query.get('$top');
  if (text === undefined) return TOP_MAX;
  const top = /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  if (top !== undefined && top <= TOP_MAX) return top;
  throw new TableError('InvalidInput', `$top is a number from 0 to ${TOP_MAX}.`);
}
