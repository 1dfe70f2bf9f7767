import { type TableStore, TerminalError, untilUncontended } from '@tandem/core';
import { createStatusRow, timeColumn } from '../status/status-row.ts';

/** Begins like no partition of a kind. The rows lie in the table that they tell of: it is not lost without them. */
export const HORIZON_PARTITION = '~horizon';

const CONTENTION = { attemptsMax: 10 };

/** Keeps how far back a table goes that is trimmed, for each entity kind. */
export interface HorizonRows {
  /** Undefined where nothing was ever trimmed. Throws `ARCHIVE_DAMAGED` where nobody can read it. */
  read(entityKind: string): Promise<number | undefined>;
  /** Never lowers it. Throws `WRITE_CONTENDED`, and `ARCHIVE_DAMAGED` where nobody can read it. */
  raise(entityKind: string, horizonMs: number): Promise<void>;
}

export function createHorizonRows({
  store,
  table,
}: {
  readonly store: TableStore;
  readonly table: string;
}): HorizonRows {
  const columns = { wholeFrom: timeColumn() };
  const rowOf = (entityKind: string) =>
    createStatusRow({
      store,
      table,
      partitionKey: HORIZON_PARTITION,
      rowKey: entityKind,
      columns,
    });
  const look = async (entityKind: string) => {
    const seen = await rowOf(entityKind).look();
    if (seen.kind !== 'damaged') return seen;
    const key = `${HORIZON_PARTITION}/${entityKind}`;
    throw new TerminalError(
      'ARCHIVE_DAMAGED',
      `The row ${key} of ${table} cannot be read, which says how far back it goes. Write a time into its column ` +
        'wholeFrom from which on nothing was trimmed, such as 2026-11-22T10:00:00.000Z.',
    );
  };
  return {
    async read(entityKind) {
      const seen = await look(entityKind);
      return seen.kind === 'value' ? seen.value.wholeFrom : undefined;
    },
    async raise(entityKind, horizonMs) {
      await untilUncontended(async () => {
        const seen = await look(entityKind);
        if (seen.kind === 'value' && seen.value.wholeFrom >= horizonMs) return undefined;
        const isWritten = await rowOf(entityKind).write({ wholeFrom: horizonMs }, seen);
        return isWritten ? undefined : { contended: `The row ${HORIZON_PARTITION}/${entityKind}` };
      }, CONTENTION);
    },
  };
}
