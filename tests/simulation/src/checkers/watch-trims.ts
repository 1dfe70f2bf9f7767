import { ARCHIVE_TABLE } from '@tandem/storage';
import type { Ledger } from '../observe/ledger.ts';
import { isRawAlive, joinStates, type RawState, timeMsOf } from '../observe/raw-state.ts';
import { type RawChangeSet, readRawChangeSet } from '../observe/read-raw.ts';
import { isClientsId } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

/**
 * I22: what is trimmed lies before what the archive says to go back to, is in the archive of every other region or
 * was trimmed there, and is contained in what is left here from before then.
 */
export function watchTrims(
  { world, ledger }: { readonly world: World; readonly ledger: Ledger },
  report: Report,
): void {
  const archives = new Map<string, Map<string, RawChangeSet>>();
  const hasLost = new Set<string>();
  for (const { name, account } of world.regions) {
    archives.set(name, new Map());
    account.onLost((table, rowKey) => {
      if (table !== ARCHIVE_TABLE) return;
      archives.get(name)?.delete(rowKey);
      hasLost.add(name);
    });
  }
  const isLoose = (entityId: string): boolean =>
    world.recoveries.forgotten.has(entityId) ||
    world.plan.regions.some((name) => {
      const { lost, collected } = ledger.regionNamed(name);
      return lost.has(entityId) || collected.has(entityId);
    });

  const judge = (region: string, rowKey: string, gone: RawChangeSet): void => {
    const { archiveFromMs } = ledger.regionNamed(region);
    const [stamp = ''] = rowKey.split('~');
    if (timeMsOf(stamp) >= archiveFromMs) {
      report('trimmed-early', `${rowKey} went in ${region}, which goes back to ${archiveFromMs}`);
    }
    const isWanted = ledger.commitsUnder(stamp).some(({ entityId }) => !isLoose(entityId));
    for (const other of isWanted ? world.plan.regions : []) {
      // What only stands for it here was never archived here, and goes when others say all that it says.
      if (other === region || hasLost.has(other) || ledger.regionNamed(other).archived.has(stamp))
        continue;
      report('trimmed-early', `${rowKey} went in ${region}, and ${other} does not have it`);
    }
    const left = [...(archives.get(region)?.entries() ?? [])].flatMap(([key, { changes }]) =>
      timeMsOf(key) < archiveFromMs ? changes : [],
    );
    for (const { entityId, state } of gone.changes) {
      if (!isClientsId(entityId) || isLoose(entityId)) continue;
      const own = left.filter((change) => change.entityId === entityId);
      if (own.length === 0 && !isRawAlive(state)) continue;
      const joined = own.reduce<RawState | undefined>(
        (all, one) => joinStates(all, one.state),
        undefined,
      );
      if (joined !== undefined && textOf(joinStates(joined, state)) === textOf(joined)) continue;
      report('trimmed-needed', `${rowKey} went in ${region} with all that is known of ${entityId}`);
    }
  };

  ledger.onTransaction((region, { table, operations }) => {
    if (table !== ARCHIVE_TABLE) return;
    const archive = archives.get(region);
    const gone: [string, RawChangeSet][] = [];
    for (const operation of operations) {
      const { rowKey } = operation;
      const before = archive?.get(rowKey);
      if (operation.kind !== 'delete') {
        archive?.set(rowKey, readRawChangeSet(operation.properties));
      } else if (before !== undefined) {
        gone.push([rowKey, before]);
        archive?.delete(rowKey);
      }
    }
    for (const [rowKey, set] of gone) judge(region, rowKey, set);
  });
}

function textOf({ fields, vector, ...rest }: RawState): string {
  const texts = [...fields, ...vector].map((entry) => JSON.stringify(entry));
  return JSON.stringify([texts.sort(), rest.alive, rest.deleted, rest.base]);
}
