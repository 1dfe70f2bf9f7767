// How long what was of a table of clients is kept, as the catalogue has it: by the id that its rows begin with.
import type { OpenKind } from '../entity-kind/entity-kind.ts';
import { openTableId } from '../entity-kind/open-id.ts';
import { formatGeneration } from './catalog-kind.ts';
import {
  type Catalogue,
  KEEP_SETTINGS,
  type TableGeneration,
  type TableSettings,
} from './decide-catalogue.ts';
import { isMoving, spacesOf } from './table-move.ts';
import { readable } from './table-source.ts';

/** Returns the kind that the rows of a table are written to. */
export function rowsKindOf(table: Pick<TableGeneration, 'replicate' | 'move'>): OpenKind {
  return spacesOf(table).own;
}

/** Returns what the ids of the rows begin with that a generation of a table shows. */
export function rowsIdOf({ key, rowsOf }: Pick<TableGeneration, 'key' | 'rowsOf'>): string {
  return openTableId(key, formatGeneration(rowsOf));
}

/** What of a table's settings says how long something is kept; the region's setting counts where one is undefined. */
export type TableKeep = Pick<TableGeneration, KeepSetting>;
type KeepSetting = (typeof KEEP_SETTINGS)[number];

/** Returns what of the settings of a table says how long something is kept. */
export function keepSettingsOf(table: TableKeep): Pick<TableSettings, KeepSetting> {
  return Object.fromEntries(
    KEEP_SETTINGS.flatMap((name) => (table[name] === undefined ? [] : [[name, table[name]]])),
  );
}

/**
 * Returns by table id what says how long something of a table is kept, of the tables whose rows are of that kind: of the
 * generations that show the rows the last one counts. Where two names have the same hash, so that their rows lie
 * together, neither counts.
 */
export function keepsOf(catalogue: Catalogue, entityKind: string): ReadonlyMap<string, TableKeep> {
  const keeps = new Map<string, TableKeep>();
  const owners = new Map<string, string>();
  for (const [key, generations] of catalogue) {
    for (const one of generations) {
      const { own, other } = spacesOf(one);
      if (one.createdMs === undefined) continue;
      if (own.name !== entityKind && other?.name !== entityKind) continue;
      const id = openTableId(key, formatGeneration(one.rowsOf));
      const owner = owners.get(id) ?? key;
      owners.set(id, owner);
      if (owner === key) keeps.set(id, one);
      else keeps.delete(id);
    }
  }
  for (const [id, keep] of keeps) {
    if (KEEP_SETTINGS.every((name) => keep[name] === undefined)) keeps.delete(id);
  }
  return keeps;
}

/** Longer than any process goes by what it remembers of the catalogue. */
const DONE_NOTICE_MS = 60_000;

/**
 * Returns the ids of the tables in which a row here may hide one of an old table, or of the other space, so that no tombstone of
 * theirs may go, or the old row would come back. Those that were deleted count too: they can be restored, with the old rows behind them.
 * Of the generations that show the rows the last one counts: what it was restored from says for ever where it was then.
 */
export function hidingTableIds(catalogue: Catalogue, nowMs: number): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const [key, generations] of catalogue) {
    for (const { createdMs, source, move, rowsOf } of generations) {
      if (createdMs === undefined) continue;
      const read = readable(source);
      const isDone =
        source === undefined || (read?.state === 'done' && nowMs - read.sinceMs > DONE_NOTICE_MS);
      const isSettled =
        move === undefined || (!isMoving(move) && nowMs - move.sinceMs > DONE_NOTICE_MS);
      const id = openTableId(key, formatGeneration(rowsOf));
      if (isDone && isSettled) ids.delete(id);
      else ids.add(id);
    }
  }
  return ids;
}

/**
 * Returns the ids of the tables that lay in a kind before they moved, whose rows there nobody reads any more: of the generations
 * that show the rows the last one counts.
 */
export function leftTableIds(
  catalogue: Catalogue,
  entityKind: string,
  nowMs: number,
): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const [key, generations] of catalogue) {
    for (const { createdMs, move, rowsOf } of generations) {
      if (createdMs === undefined) continue;
      const id = openTableId(key, formatGeneration(rowsOf));
      const isLeft =
        move?.state === 'settled' &&
        move.from === entityKind &&
        nowMs - move.sinceMs > DONE_NOTICE_MS;
      if (isLeft) ids.add(id);
      else ids.delete(id);
    }
  }
  return ids;
}
