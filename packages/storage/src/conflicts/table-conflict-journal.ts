import {
  bucketNames,
  bucketOf,
  chunk,
  type Conflict,
  type ConflictJournal,
  type EntityKind,
  type Properties,
  type TableStore,
} from '@tandem/core';
import { fromPayloadColumns, toPayloadColumns } from '../rows/payload-columns.ts';
import { encodeRowKey } from '../rows/row-key.ts';
import { decodeConflict, encodeConflict } from './encode-conflict.ts';

export const CONFLICTS_TABLE = 'Conflicts';

export interface TableConflictJournalOptions {
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  readonly bucketCount: number;
}

const ROWS_PER_TRANSACTION_MAX = 50;
const PAGE_ROWS = 500;

/**
 * The table `Conflicts`: partition `<kind>-<bucket>`, row key `<greater stamp>~<smaller stamp>~<entity>`.
 * Both regions derive the same key and the same columns from the same two changes. The stamps alone are
 * no name: the changes of one commit share a stamp, and several of them may meet several of another.
 */
export function createTableConflictJournal(options: TableConflictJournalOptions): ConflictJournal {
  const { store, bucketCount } = options;
  const partitionOf = (conflict: Conflict): string =>
    `${conflict.entityKind}-${bucketOf(conflict.entityId, bucketCount)}`;

  async function* scan(entityKind: string, bucket: string): AsyncGenerator<Conflict> {
    let continuation: string | undefined;
    do {
      const page = await store.query({
        table: CONFLICTS_TABLE,
        partitions: `${entityKind}-${bucket}`,
        limit: PAGE_ROWS,
        ...(continuation === undefined ? {} : { continuation }),
      });
      for (const row of page.rows) yield decodeConflict(fromPayloadColumns(row.properties));
      ({ continuation } = page);
    } while (continuation !== undefined);
  }

  return {
    async record(conflicts) {
      const distinct = new Map(
        conflicts.map((one) => [`${partitionOf(one)}/${rowKeyOf(one)}`, one]),
      );
      for (const [partitionKey, own] of Map.groupBy(distinct.values(), partitionOf)) {
        for (const part of chunk(own, { countMax: ROWS_PER_TRANSACTION_MAX })) {
          const operations = part.map((conflict) => ({
            kind: 'upsert' as const,
            rowKey: rowKeyOf(conflict),
            properties: toConflictProperties(conflict),
          }));
          await store.commit({ table: CONFLICTS_TABLE, partitionKey, operations });
        }
      }
    },

    scan,

    async list(entityKind, limit) {
      const found: Conflict[] = [];
      for (const bucket of bucketNames(bucketCount)) {
        let room = limit;
        for await (const conflict of scan(entityKind, bucket)) {
          found.push(conflict);
          room -= 1;
          if (room > 0) continue;
          // Keeps no more than what can still be asked for, however long the journal is.
          found.sort(newestFirst).splice(limit);
          room = PAGE_ROWS;
        }
        found.sort(newestFirst).splice(limit);
      }
      return found;
    },
  };
}

function rowKeyOf({ stamps, entityId }: Conflict): string {
  const [smaller, greater] = stamps;
  return `${greater}~${smaller}~${encodeRowKey(entityId)}`;
}

/** The columns beside the payload are for people who browse the table. */
function toConflictProperties(conflict: Conflict): Properties {
  const lost = conflict.fields.map((field) => field.name).join(',');
  return new Map([
    ['entityId', { type: 'String', value: conflict.entityId }],
    ['lostFields', { type: 'String', value: lost }],
    ...toPayloadColumns(encodeConflict(conflict)),
  ]);
}

function newestFirst(a: Conflict, b: Conflict): number {
  return a.stamps[1] > b.stamps[1] ? -1 : 1;
}
