import { bucketNames, type EntityKind, type RecoveryRegion, type TableStore } from '@tandem/core';
import { createTableConflictJournal } from '../conflicts/table-conflict-journal.ts';
import { createTableOutbox } from '../outbox/table-outbox.ts';
import { createRowMemory } from '../replica/row-memory.ts';
import { createTableReplica } from '../replica/table-replica.ts';
import { createTableArchiveKeeper } from './archive-keeper.ts';
import { createTableRowScanner } from './row-scanner.ts';

export interface RecoveryRegionOptions {
  readonly region: string;
  readonly store: TableStore;
  readonly kind: EntityKind;
  readonly bucketCount: number;
  /** The other regions, which are told of conflicts that recovering finds; none by default. */
  readonly peers?: readonly string[];
}

/** Nothing here is written from memory. */
const LITTLE = { bytesMax: 1024 * 1024 };

/** One entity kind of a region as the recovery use cases see it. Only names the tables. */
export function createRecoveryRegion(options: RecoveryRegionOptions): RecoveryRegion {
  const { region, store, kind, bucketCount, peers = [] } = options;
  return {
    region,
    entityKind: kind.name,
    buckets: bucketNames(bucketCount),
    rows: createTableRowScanner({ store, kind, bucketCount }),
    replica: createTableReplica({ store, kind, bucketCount, memory: createRowMemory(LITTLE) }),
    archive: createTableArchiveKeeper({ store }),
    conflicts: createTableConflictJournal({ store, kinds: [kind], bucketCount, peers }),
    outbox: createTableOutbox({ store, kind, bucketCount }),
  };
}
