import { ARCHIVE_TABLE } from '@tandem/storage';
import type { Ledger } from '../observe/ledger.ts';
import { includesStamp, joinStates, type RawState } from '../observe/raw-state.ts';
import { type RawChangeSet, readRawChangeSet, readRawRow } from '../observe/read-raw.ts';
import { gadgetKind, isClientsId } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

/** Parts of commands that join what others had committed into rows. */
const JOINS = /^(repair|rebuild|replay-join)\./;

/**
 * I5, at each moment of a recovery: what it joins into a row is in the archive of that region before, so that
 * wherever it is cut off a replay of the archive still gives the table. It joins nothing that the row had already:
 * what clients wrote into it the outbox may still owe to the archive.
 */
export function watchArchives(
  { world, ledger }: { readonly world: World; readonly ledger: Ledger },
  report: Report,
): void {
  const archives = new Map<string, Map<string, RawChangeSet>>();
  const rows = new Map<string, RawState>();
  const lostAtMs = new Map<string, number>();
  for (const { name, account } of world.regions) {
    archives.set(name, new Map());
    account.onLost((table, rowKey) => {
      if (table === gadgetKind.name) rows.delete(`${name} ${rowKey}`);
      if (table !== ARCHIVE_TABLE) return;
      archives.get(name)?.delete(rowKey);
      lostAtMs.set(name, world.scheduler.nowMs());
    });
  }
  const archivedOf = (region: string, entityId: string): RawState | undefined => {
    let joined: RawState | undefined;
    for (const { changes } of archives.get(region)?.values() ?? []) {
      const own = changes.find((change) => change.entityId === entityId);
      if (own !== undefined) joined = joinStates(joined, own.state);
    }
    return joined;
  };

  ledger.onTransaction((region, { table, operations }, site) => {
    if (table === ARCHIVE_TABLE) {
      for (const operation of operations) {
        if (operation.kind === 'delete') continue;
        archives.get(region)?.set(operation.rowKey, readRawChangeSet(operation.properties));
      }
    }
    if (table !== gadgetKind.name) return;
    const [, by = ''] = site.split('@');
    // What the store lost after it was looked at, nobody can have seen.
    const sinceMs = world.recoveries.named(by)?.runStartMs ?? 0;
    const isJudged = JOINS.test(site) && (lostAtMs.get(region) ?? 0) < sinceMs;
    for (const operation of operations) {
      if (!isClientsId(operation.rowKey)) continue;
      const key = `${region} ${operation.rowKey}`;
      const row = operation.kind === 'delete' ? undefined : readRawRow(operation.properties);
      const before = rows.get(key);
      if (row === undefined) rows.delete(key);
      else rows.set(key, row);
      if (row === undefined || !isJudged) continue;
      const archived = archivedOf(region, operation.rowKey);
      const missing = [...row.vector.values()].find(
        (stamp) => !includesStamp(before?.vector, stamp) && !includesStamp(archived?.vector, stamp),
      );
      if (missing === undefined) continue;
      report('unarchived', `${site} wrote ${missing} of ${operation.rowKey} in ${region} alone`);
    }
  });
}
