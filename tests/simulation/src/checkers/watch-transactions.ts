import type { RowOperation } from '@tandem/core';
import { ARCHIVE_TABLE } from '@tandem/storage';
import type { Ledger } from '../observe/ledger.ts';
import { includesStamp } from '../observe/raw-state.ts';
import { readRawChangeSet, readRawRow } from '../observe/read-raw.ts';
import { OUTBOX_PREFIX } from '../world/describe-transaction.ts';
import { gadgetKind, isClientsId } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

type WrittenRow = Exclude<RowOperation, { kind: 'delete' }>;

/** A set of so many has no room for its outbox row beside it. */
const FULL = 100;

/** Parts of commands that write states, some rows at a time: whole once they have ended. */
const RECOVERS = /^(repair|rebuild|replay|restore|forget|drop|set-aside)/;

/**
 * I20, at each moment: where the newest that a row of a region holds is a transaction, every other row of that
 * transaction holds it too, or something later; and an archive row of it has all of its changes, and is of what was
 * committed and not only prepared.
 */
export function watchTransactions(
  { world, ledger }: { readonly world: World; readonly ledger: Ledger },
  report: Report,
): void {
  /** By stamp of a whole set: the entities that it is of. */
  const members = new Map<string, readonly string[]>();
  /** What a recovery wrote, by region, entity and stamp, the rest of which may follow. */
  const recovered = new Set<string>();

  const noteSet = (set: ReturnType<typeof readRawChangeSet>): void => {
    if (!set.isWhole) return;
    world.situations.note(set.changes.length === FULL ? 'prepared' : 'transacted');
    members.set(set.stamp, set.changes.map(({ entityId }) => entityId).filter(isClientsId));
  };

  const checkArchived = (region: string, site: string, row: WrittenRow): void => {
    const set = readRawChangeSet(row.properties);
    if (set.isWhole && ledger.commitsUnder(set.stamp).length === 0)
      report('torn', `${site} archived ${set.stamp} in ${region}, which nobody committed`);
    // What a recovery knows of a lost set stands in for it, or lies beside it.
    if (row.rowKey !== set.stamp || row.properties.get('standIn')?.value === true) return;
    const own = new Set(set.changes.map(({ entityId }) => entityId));
    const missing = members.get(set.stamp)?.find((entityId) => !own.has(entityId));
    if (missing === undefined) return;
    report('torn', `${site} archived ${set.stamp} in ${region} without ${missing}`);
  };

  const checkRow = (region: string, site: string, row: { id: string; stamp: string }): void => {
    const { rows, lost, collected } = ledger.regionNamed(region);
    const { id, stamp } = row;
    const key = `${region} ${id} ${stamp}`;
    if (RECOVERS.test(site)) recovered.add(key);
    if (recovered.has(key)) return;
    const missing = members.get(stamp)?.find((entityId) => {
      if (lost.has(entityId) || collected.has(entityId)) return false;
      return !includesStamp(rows.get(entityId)?.vector, stamp);
    });
    if (missing === undefined) return;
    report('torn', `${site} wrote ${stamp} to ${id} in ${region}, and not to ${missing}`);
  };

  ledger.onTransaction((region, { table, operations }, site) => {
    for (const operation of operations) {
      if (operation.kind === 'delete') continue;
      if (table === ARCHIVE_TABLE) checkArchived(region, site, operation);
      const isOutbox = table === gadgetKind.name && operation.rowKey.startsWith(OUTBOX_PREFIX);
      if (isOutbox && operation.kind === 'insert') noteSet(readRawChangeSet(operation.properties));
    }
    if (table !== gadgetKind.name) return;
    for (const operation of operations) {
      const row = operation.kind === 'delete' ? undefined : readRawRow(operation.properties);
      if (row === undefined || !isClientsId(operation.rowKey)) continue;
      checkRow(region, site, {
        id: operation.rowKey,
        stamp: [...row.vector.values()].sort().at(-1) ?? '',
      });
    }
  });
}
