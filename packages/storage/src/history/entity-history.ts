import {
  type Archive,
  type ChangeSet,
  type EntityKind,
  type EntityOf,
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
  type VersionVector,
} from '@tandem/core';
import { sealCursor, unsealCursor } from '../table/page-cursor.ts';

/** One transaction of one entity, as the archive of this region holds it. */
export interface HistoryEntry<K extends TypedKind> {
  readonly stamp: Stamp;
  /** On the hybrid clock of the region that wrote it, in milliseconds. */
  readonly atMs: number;
  /** Where it was written. */
  readonly region: string;
  readonly operation: Operation;
  /** The fields that this transaction set. */
  readonly changedFields: readonly string[];
  /** What the entity was after it; undefined after a deletion. */
  readonly entity: EntityOf<K> | undefined;
  readonly version: VersionVector;
}

export interface HistoryPage<K extends TypedKind> {
  /** Oldest first. May be empty although there is a cursor. */
  readonly entries: readonly HistoryEntry<K>[];
  /** Opaque; undefined at the end of the archive. */
  readonly cursor: string | undefined;
}

export interface EntityHistory<K extends TypedKind> {
  /**
   * The transactions of one entity that this region has archived, oldest first. The archive lies by
   * bucket and time, so a page costs a scan of the bucket's archive, and ends after
   * `CHANGE_SETS_PER_PAGE_MAX` change sets. Throws `CURSOR_INVALID`.
   */
  read(entityId: string, limit: number, cursor?: string): Promise<HistoryPage<K>>;
}

export interface EntityHistoryOptions<K extends TypedKind> {
  readonly archive: Pick<Archive, 'read'>;
  readonly kind: K;
  readonly bucketCount: number;
}

export const CHANGE_SETS_PER_PAGE_MAX = 5_000;

export function createEntityHistory<K extends TypedKind>(
  options: EntityHistoryOptions<K>,
): EntityHistory<K> {
  const { archive, kind, bucketCount } = options;
  return {
    async read(entityId, limit, cursor) {
      const bucket = entityBucketOf(kind, entityId, bucketCount);
      const scope = scopeOf(kind, entityId);
      const after = cursor === undefined ? undefined : decodeCursor(cursor, scope);
      const span = { entityKind: kind.name, bucket };
      const fromMs = after === undefined ? {} : { fromMs: stampTimeMs(after) };
      const entries: HistoryEntry<K>[] = [];
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

function entriesOf<K extends TypedKind>(
  set: ChangeSet,
  entityId: string,
  kind: K,
): HistoryEntry<K>[] {
  const { stamp } = set;
  return set.changes
    .filter((change) => change.entityId === entityId)
    .map(({ operation, state }) => ({
      stamp,
      atMs: stampTimeMs(stamp),
      region: stampRegion(stamp),
      operation,
      changedFields: [...state.fields]
        .filter(([name, field]) => field.stamp === stamp && kind.edmTypes.has(name))
        .map(([name]) => name)
        .sort(),
      entity: isAlive(state) ? toEntity(kind, state) : undefined,
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
