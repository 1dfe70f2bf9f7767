import {
  type Archive,
  type ChangeSet,
  type EntityKind,
  type EntityOf,
  type EntityState,
  entityBucketOf,
  isAlive,
  isStamp,
  type Operation,
  type Stamp,
  stampRegion,
  stampTimeMs,
  TerminalError,
  type TypedKind,
  toEntity,
  transactionOf,
  type VersionVector,
} from '@tandem/core';
import { sealCursor, unsealCursor } from './page-cursor.ts';

/** One transaction of one entity, of whatever kind, as the archive of this region holds it. */
export interface StateHistoryEntry {
  readonly stamp: Stamp;
  /** On the hybrid clock of the region that wrote it, in milliseconds. */
  readonly atMs: number;
  /** Where it was written. */
  readonly region: string;
  readonly operation: Operation;
  /** The fields that this transaction set. */
  readonly changedFields: readonly string[];
  /** What the entity was after it, a tombstone too. */
  readonly state: EntityState;
  readonly version: VersionVector;
}

/** The same of a kind whose fields are known. */
export interface HistoryEntry<K extends TypedKind> extends Omit<StateHistoryEntry, 'state'> {
  /** What the entity was after it; undefined after a deletion. */
  readonly entity: EntityOf<K> | undefined;
}

interface HistoryPageOf<E> {
  /** Oldest first. May be empty although there is a cursor. */
  readonly entries: readonly E[];
  /** Opaque; undefined at the end of the archive. */
  readonly cursor: string | undefined;
}

export type HistoryPage<K extends TypedKind> = HistoryPageOf<HistoryEntry<K>>;

export interface EntityHistory<K extends TypedKind> {
  /**
   * The transactions of one entity that this region has archived, oldest first. The archive lies by
   * bucket and time, so a page costs a scan of the bucket's archive, and ends after
   * `CHANGE_SETS_PER_PAGE_MAX` change sets. Throws `CURSOR_INVALID`.
   */
  read(entityId: string, limit: number, cursor?: string): Promise<HistoryPage<K>>;
}

/** Is the same of a kind of any form. */
export interface StateHistory {
  read(entityId: string, limit: number, cursor?: string): Promise<HistoryPageOf<StateHistoryEntry>>;
}

export interface EntityHistoryOptions<K extends EntityKind> {
  readonly archive: Pick<Archive, 'read'>;
  readonly kind: K;
  readonly bucketCount: number;
}

export const CHANGE_SETS_PER_PAGE_MAX = 5_000;

export function createEntityHistory<K extends TypedKind>(
  options: EntityHistoryOptions<K>,
): EntityHistory<K> {
  const { kind } = options;
  const states = createStateHistory(options);
  return {
    async read(...asked) {
      const { entries, cursor } = await states.read(...asked);
      const told = entries.map(({ state, ...entry }) => ({
        ...entry,
        entity: isAlive(state) ? toEntity(kind, state) : undefined,
      }));
      return { entries: told, cursor };
    },
  };
}

export function createStateHistory(options: EntityHistoryOptions<EntityKind>): StateHistory {
  const { archive, kind, bucketCount } = options;
  return {
    async read(entityId, limit, cursor) {
      const bucket = entityBucketOf(kind, entityId, bucketCount);
      const scope = scopeOf(kind, entityId);
      const after = cursor === undefined ? undefined : decodeCursor(cursor, scope);
      const span = { entityKind: kind.name, bucket };
      const fromMs = after === undefined ? {} : { fromMs: stampTimeMs(after) };
      const entries: StateHistoryEntry[] = [];
      let scanned = 0;
      for await (const set of archive.read({ ...span, ...fromMs })) {
        // Several change sets may share the millisecond at which the last page ended.
        if (after !== undefined && set.stamp <= after) continue;
        scanned += 1;
        entries.push(...entriesOf(set, entityId, kind));
        if (entries.length >= limit || scanned >= CHANGE_SETS_PER_PAGE_MAX) {
          return { entries, cursor: sealCursor(set.stamp, scope) };
        }
      }
      return { entries, cursor: undefined };
    },
  };
}

function entriesOf(set: ChangeSet, entityId: string, kind: EntityKind): StateHistoryEntry[] {
  return set.changes
    .filter((change) => change.entityId === entityId)
    .map((change) => ({ ...change, stamp: transactionOf(set, change) }))
    .map(({ operation, state, stamp }) => ({
      stamp,
      atMs: stampTimeMs(stamp),
      region: stampRegion(stamp),
      operation,
      changedFields: [...state.fields]
        .filter(([, field]) => field.stamp === stamp)
        .map(([name]) => name)
        .filter((name) => kind.form === 'open' || kind.edmTypes.has(name))
        .sort(),
      state,
      version: state.vector,
    }));
}

/** Bound to one entity: the history of another, of the same bucket even, refuses it. */
function scopeOf({ name }: EntityKind, entityId: string): string {
  return `h2:${name}:${entityId}`;
}

function decodeCursor(cursor: string, scope: string): Stamp {
  const stamp = unsealCursor(cursor, scope);
  if (isStamp(stamp)) return stamp;
  throw new TerminalError(
    'CURSOR_INVALID',
    'The cursor is not one that this history gave out. Begin again without one.',
  );
}
