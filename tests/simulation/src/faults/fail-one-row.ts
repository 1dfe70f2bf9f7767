import type { Transaction } from '@tandem/core';
import { ARCHIVE_TABLE, CONFLICTS_TABLE } from '@tandem/storage';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import type { NemesisEvent } from './nemesis-kinds.ts';
import type { Undo } from './run-nemesis.ts';

/** Rows for which a store answers 500, although it takes all others. */
export interface RowFailures {
  /** Fails for the row, or for the next one that is written to the table. Returns what ends it. */
  begin(table: string, rowKey?: string): () => void;
  isFailing(transaction: Transaction): boolean;
  /** Whether it ever did for the row; for any row of the table when none is named. */
  hasFailed(table: string, rowKey?: string): boolean;
  /** Refuses for good what clients write to one entity, the next that is written in company. Returns what ends it. */
  refuse(): () => void;
  /** Asked for each transaction of clients: one that is sent again is answered as it was the first time. */
  isRefusing(transaction: Transaction): boolean;
  hasRefused(entityId: string): boolean;
}

export function createRowFailures(): RowFailures {
  const active = new Set<{ readonly table: string; rowKey: string | undefined }>();
  const known = new Map<string, Set<string>>();
  const refusing = new Set<{ entityId: string | undefined }>();
  const refused = new Set<string>();
  const answers = new Map<string, boolean>();
  return {
    refuse() {
      const one = { entityId: undefined };
      refusing.add(one);
      return () => void refusing.delete(one);
    },
    isRefusing({ operations }) {
      const name = operations.find(({ rowKey }) => rowKey.startsWith('~'))?.rowKey ?? '';
      const known = answers.get(name);
      if (known !== undefined) return known;
      const rows = operations.map(({ rowKey }) => rowKey).filter((key) => !key.startsWith('~'));
      // The second, so that one goes before it and another may follow.
      for (const one of refusing) one.entityId ??= rows[1];
      const found = rows.filter((key) => [...refusing].some(({ entityId }) => entityId === key));
      for (const key of found) refused.add(key);
      answers.set(name, found.length > 0);
      return found.length > 0;
    },
    hasRefused: (entityId) => refused.has(entityId),
    begin(table, rowKey) {
      const one = { table, rowKey };
      active.add(one);
      return () => void active.delete(one);
    },
    isFailing({ table, operations }) {
      const rows = operations.map(({ rowKey }) => rowKey).filter((key) => !key.startsWith('~'));
      for (const one of active) {
        if (one.table !== table) continue;
        one.rowKey ??= rows[0];
        if (one.rowKey === undefined || !rows.includes(one.rowKey)) continue;
        known.set(table, (known.get(table) ?? new Set()).add(one.rowKey));
        return true;
      }
      return false;
    },
    hasFailed(table, rowKey) {
      const rows = known.get(table) ?? new Set();
      return rowKey === undefined ? rows.size > 0 : rows.has(rowKey);
    },
  };
}

const ENTITY_SHARE = 0.6;
const ARCHIVE_SHARE = 0.85;

/** The row of one entity, or the next of the archive or of the journal. */
export function failOneRow(
  { target, amount }: NemesisEvent,
  { regions, plan }: Pick<World, 'regions' | 'plan'>,
): Undo {
  const failures = regions[target % regions.length]?.account.failures;
  if (amount < ENTITY_SHARE)
    return failures?.begin(gadgetKind.name, `gadget-${target % plan.entityCount}`);
  return failures?.begin(amount < ARCHIVE_SHARE ? ARCHIVE_TABLE : CONFLICTS_TABLE);
}

/** What clients write to one entity is refused: the others of its transactions are not to pay for it. */
export function refuseOneRow({ target }: NemesisEvent, { regions }: Pick<World, 'regions'>): Undo {
  return regions[target % regions.length]?.account.failures.refuse();
}
