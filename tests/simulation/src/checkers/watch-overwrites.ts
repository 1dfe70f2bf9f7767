import { ARCHIVE_TABLE } from '@tandem/storage';
import type { Ledger } from '../observe/ledger.ts';
import type { RawState } from '../observe/raw-state.ts';
import { type RawChangeSet, readRawChangeSet, readRawRow } from '../observe/read-raw.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

/**
 * I19: whoever writes a row or an archive row, recovery above all, takes nothing newer away: each field, each
 * life and each transaction that was in it is in it still, or something later; and what was erased stays so.
 */
export function watchOverwrites(
  { world, ledger }: { readonly world: World; readonly ledger: Ledger },
  report: Report,
): void {
  const rowsOf = new Map<string, RawState>();
  const archivesOf = new Map<string, KnownSet>();
  for (const { name, account } of world.regions) {
    account.onLost((table, rowKey) => {
      if (table === gadgetKind.name) rowsOf.delete(`${name} ${rowKey}`);
      if (table === ARCHIVE_TABLE) archivesOf.delete(`${name} ${rowKey}`);
    });
  }
  /** Its older lives may be forgotten. */
  const isLoose = (entityId: string): boolean =>
    world.plan.regions.some((name) => {
      const { lost, collected } = ledger.regionNamed(name);
      return lost.has(entityId) || collected.has(entityId);
    });

  ledger.onTransaction((region, { table, operations }, site) => {
    for (const operation of operations) {
      const key = `${region} ${operation.rowKey}`;
      if (table === ARCHIVE_TABLE) {
        if (operation.kind === 'delete') {
          const trimmed = site.startsWith('retention.') ? archivesOf.get(key) : undefined;
          if (trimmed !== undefined) archivesOf.set(key, { ...trimmed, isTrimmed: true });
          continue;
        }
        const next = readRawChangeSet(operation.properties);
        const before = archivesOf.get(key);
        const isRestored = operation.properties.get('standIn')?.value === true;
        archivesOf.set(key, { ...next, isRestored, isTrimmed: false });
        // The change set itself, where an operator had written what little was known of it. The rest lies beside.
        if (before?.isRestored === true) continue;
        const gone = before?.changes.find(({ entityId, state }) => {
          const own = next.changes.find((change) => change.entityId === entityId)?.state;
          // What comes again after it was trimmed is archived as far as it still counts, and without what was erased.
          if (own === undefined) return !before.isTrimmed;
          return !isLoose(entityId) && missingIn(own, state) !== undefined;
        });
        if (gone === undefined) continue;
        report('overwritten', `${site} took ${gone.entityId} out of ${key} in the archive`);
      } else if (table === gadgetKind.name) {
        const next = operation.kind === 'delete' ? undefined : readRawRow(operation.properties);
        const before = rowsOf.get(key);
        if (next === undefined) {
          rowsOf.delete(key);
          continue;
        }
        rowsOf.set(key, next);
        if (before === undefined || isLoose(operation.rowKey)) continue;
        const missing = missingIn(next, before);
        if (missing !== undefined) report('overwritten', `${site} took ${missing} out of ${key}`);
      }
    }
  });
}

interface KnownSet extends RawChangeSet {
  readonly isRestored: boolean;
  readonly isTrimmed: boolean;
}

/** What of `before` the state does not have any more, in words. */
function missingIn(next: RawState, before: RawState): string | undefined {
  for (const [name, { stamp, value }] of before.fields) {
    const own = next.fields.get(name);
    if (stamp > (own?.stamp ?? '') && stamp >= (next.base ?? '')) return `${name} by ${stamp}`;
    if (value === null && stamp === own?.stamp && own.value !== null)
      return `the erasure of ${name}`;
  }
  for (const [region, stamp] of before.vector) {
    if (stamp > (next.vector.get(region) ?? '')) return `${stamp} of ${region}`;
  }
  for (const life of ['alive', 'deleted', 'base'] as const) {
    if ((before[life] ?? '') > (next[life] ?? '')) return `${life} ${before[life] ?? ''}`;
  }
  return undefined;
}
