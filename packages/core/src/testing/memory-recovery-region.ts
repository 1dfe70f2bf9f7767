import { TerminalError } from '../errors.ts';
import { archivePartitionOf, type Change, type ChangeSet } from '../model/change-set.ts';
import { type Conflict, joinConflicts } from '../model/conflict.ts';
import { joinHorizons, latestHorizon, NO_HORIZONS } from '../model/horizons.ts';
import type {
  ArchiveRow,
  RecoveryRegion,
  ScannedArchiveRow,
  ScannedRow,
} from '../ports/recovery-region.ts';
import type { RowWrite, StoredRow } from '../ports/replica.ts';
import { conflictKey } from '../recovery/journals.ts';
import { joinChangeSets } from '../recovery/repair-regions.ts';
import type { Digest } from '../recovery/verify-regions.ts';
import type { EntityState, StoredState } from '../state/entity-state.ts';
import { formatStamp, type Stamp } from '../time/stamp.ts';
import type { FieldValue } from '../values/field-value.ts';
import { encodeChangeSet } from '../wire/change-set-bytes.ts';

/** What a test holds of a region that is nothing but maps. Every id lies in the one bucket. */
export interface MemoryRecoveryRegion extends RecoveryRegion {
  /** What was done to it, in order: `archive`, `conflicts`, `rows`. */
  readonly done: readonly string[];
  readonly sets: readonly ChangeSet[];
  readonly recorded: readonly Conflict[];
  /** The sizes of the writes of rows. */
  readonly writes: readonly number[];
  put(entityId: string, state: EntityState, referenceId?: string): void;
  damage(rowKey: string): void;
  rowOf(entityId: string): StoredState | undefined;
  /** Called before each write of rows: what it puts makes that one find a changed row. */
  beforeWrite(hook: () => void): void;
}

export const MEMORY_BUCKET = '00';
const KIND = 'Devices';
export const SPAN = { entityKind: KIND, bucket: MEMORY_BUCKET };

export function at(timeMs: number, region = 'east'): Stamp {
  return formatStamp({ timeMs, counter: 0, region, writer: 'w' });
}

export function alive(timeMs: number, label = 'x', region = 'east'): EntityState {
  return stateWith({ label: [at(timeMs, region), label] });
}

export function dead(timeMs: number, region = 'east'): EntityState {
  const stamp = at(timeMs, region);
  return { ...alive(timeMs - 1, 'x', region), deleted: stamp, vector: new Map([[region, stamp]]) };
}

export function setOf(
  stamp: Stamp,
  ...changes: readonly (readonly [string, EntityState])[]
): ChangeSet {
  return {
    ...SPAN,
    stamp,
    changes: changes.map(
      ([entityId, state]): Change => ({ entityId, operation: 'replace', state }),
    ),
  };
}

export function stateWith(
  fields: Readonly<Record<string, readonly [Stamp, string | null]>>,
  more: Partial<EntityState> = {},
): EntityState {
  const stamps = Object.values(fields)
    .map(([stamp]) => stamp)
    .toSorted((a, b) => (a < b ? -1 : 1));
  return {
    fields: new Map(
      Object.entries(fields).map(([name, [stamp, text]]) => {
        const value: FieldValue | null = text === null ? null : { type: 'String', value: text };
        return [name, { stamp, value }];
      }),
    ),
    alive: stamps.at(-1),
    deleted: undefined,
    vector: new Map(stamps.map((stamp) => [stamp.split('-')[2] ?? '', stamp])),
    ...more,
  };
}

export function createMemoryRecoveryRegion(region: string): MemoryRecoveryRegion {
  const rows = new Map<string, StoredRow>();
  const damaged = new Set<string>();
  const sets: ChangeSet[] = [];
  const recorded: Conflict[] = [];
  const done: string[] = [];
  const writes: number[] = [];
  let version = 0;
  let horizons = NO_HORIZONS;
  let hook = (): void => undefined;
  const store = (entityId: string, { state, referenceId }: StoredState): void => {
    version += 1;
    rows.set(entityId, { entityId, state, referenceId, etag: String(version) });
  };
  const keep = (set: ChangeSet): void => {
    const nth = sets.findIndex(({ stamp }) => stamp === set.stamp);
    if (nth < 0) sets.push(set);
    else sets[nth] = set;
  };
  const journal = (conflicts: readonly Conflict[]): void => {
    for (const one of conflicts) {
      const nth = recorded.findIndex((own) => conflictKey(own) === conflictKey(one));
      const own = recorded[nth];
      if (own === undefined) recorded.push(one);
      else recorded[nth] = joinConflicts(own, one);
    }
  };
  const isChanged = ({ entityId, stored }: RowWrite): boolean =>
    rows.get(entityId)?.etag !== stored?.etag;
  return {
    region,
    entityKind: KIND,
    buckets: [MEMORY_BUCKET],
    done,
    sets,
    recorded,
    writes,
    put: (entityId, state, referenceId) => store(entityId, { state, referenceId }),
    damage: (rowKey) => void damaged.add(rowKey),
    rowOf: (entityId) => rows.get(entityId),
    beforeWrite: (next) => void (hook = next),
    rows: {
      async *scan(): AsyncGenerator<ScannedRow> {
        const keys = [...new Set([...rows.keys(), ...damaged])];
        for (const rowKey of keys.toSorted((a, b) => (a < b ? -1 : 1))) {
          const row = rows.get(rowKey);
          if (damaged.has(rowKey)) {
            yield { kind: 'damaged', rowKey, problem: 'It is torn.', isForeign: false };
          } else if (row !== undefined) yield { kind: 'row', rowKey, row };
        }
      },
    },
    replica: {
      entityKind: KIND,
      faultOf: () => undefined,
      fit: (state) => state,
      bucketOf: () => MEMORY_BUCKET,
      recall: () => undefined,
      async read(_, entityIds) {
        // Whoever asks for several is not told which of them it is.
        if (entityIds.some((id) => damaged.has(id))) {
          throw new TerminalError('ROW_MALFORMED', 'A row is torn.');
        }
        return new Map(entityIds.flatMap((id) => (rows.has(id) ? [[id, rows.get(id)!]] : [])));
      },
      async write(_, asked) {
        hook();
        writes.push(asked.length);
        const changed = asked.find(isChanged);
        if (changed !== undefined) return { kind: 'changed', entityId: changed.entityId };
        done.push('rows');
        for (const { entityId, row } of asked) store(entityId, row);
        return { kind: 'written' };
      },
    },
    archive: {
      async *scan({ fromMs = 0, beforeMs = Number.POSITIVE_INFINITY }) {
        for (const set of sets.toSorted((a, b) => (a.stamp < b.stamp ? -1 : 1))) {
          const timeMs = parseInt(set.stamp.slice(0, 12), 16);
          if (timeMs >= fromMs && timeMs < beforeMs) yield { kind: 'set', ...archiveRowOf(set) };
        }
      },
      put: async (found) => {
        for (const { set } of found) keep(set);
        return [];
      },
      restore: async (restored) => {
        done.push('archive');
        for (const set of restored) {
          const own = sets.find(({ stamp }) => stamp === set.stamp);
          keep(own === undefined ? set : (joinChangeSets(own, set) ?? own));
        }
      },
      drop: async (dropped) => {
        done.push('drop');
        for (const { set } of dropped) {
          const nth = sets.findIndex(({ stamp }) => stamp === set.stamp);
          if (nth >= 0) sets.splice(nth, 1);
        }
        return dropped;
      },
      horizonMs: async (_, tableId) => latestHorizon(horizons, tableId),
      horizons: async () => horizons,
      raiseHorizon: async (_, raisedMs, tableId) => {
        done.push('horizon');
        const raised =
          tableId === undefined
            ? { kindMs: raisedMs, tables: new Map<string, number>() }
            : { kindMs: undefined, tables: new Map([[tableId, raisedMs]]) };
        horizons = joinHorizons([horizons, raised]);
      },
    },
    conflicts: {
      record: async (conflicts) => {
        done.push('conflicts');
        journal(conflicts);
      },
      accept: async (conflicts) => journal(conflicts),
      untold: async () => ({ conflicts: [] }),
      told: async () => undefined,
      async *scan() {
        yield* recorded.toSorted((a, b) => (conflictKey(a) < conflictKey(b) ? -1 : 1));
      },
      list: async () => recorded,
    },
    outbox: {
      entityKind: KIND,
      buckets: [MEMORY_BUCKET],
      scan: async () => ({ entries: [], unreadable: [], aside: [] }),
      remove: async () => undefined,
      park: async () => undefined,
      settle: async () => 'gone',
    },
  };
}

function archiveRowOf(set: ChangeSet): ArchiveRow {
  const partitionKey = archivePartitionOf(set);
  return { partitionKey, rowKey: set.stamp, set, encoded: encodeChangeSet(set), etag: '1' };
}

export function createThree(): readonly [
  MemoryRecoveryRegion,
  MemoryRecoveryRegion,
  MemoryRecoveryRegion,
] {
  const [east, west, north] = ['east', 'west', 'north'].map(createMemoryRecoveryRegion);
  return [east!, west!, north!];
}

export function archiveOf(...rows: readonly (ChangeSet | 'damaged')[]) {
  return {
    horizonMs: async (): Promise<number | undefined> => undefined,
    async *scan(): AsyncGenerator<ScannedArchiveRow> {
      for (const [n, row] of rows.entries()) {
        if (row === 'damaged') {
          const rowKey = `torn-${n}`;
          yield { kind: 'damaged', partitionKey: 'p', rowKey, problem: 'It is torn.', etag: '1' };
        } else {
          const partitionKey = archivePartitionOf(row);
          const encoded = encodeChangeSet(row);
          yield { kind: 'set', partitionKey, rowKey: row.stamp, set: row, encoded, etag: '1' };
        }
      }
    },
  };
}

export function filledArchive(region: MemoryRecoveryRegion, ...sets: readonly ChangeSet[]): void {
  (region.sets as ChangeSet[]).push(...sets);
}

/** Keeps all that it was given, so that a test sees what a digest is of. */
export function createTextDigest(): Digest {
  let text = '';
  return { update: (more) => void (text += more), hex: () => text };
}
