import type { Ledger } from '../observe/ledger.ts';
import { includesStamp } from '../observe/raw-state.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

/**
 * I2 and I18, as they are proven to an operator: when a command says that the regions are equal, each has all that
 * any of them had committed before the comparison began, and every conflict that any had recorded.
 */
export function watchProofs(
  { world, ledger }: { readonly world: World; readonly ledger: Ledger },
  report: Report,
): void {
  world.recoveries.onDone(({ id, runStartMs }, done) => {
    if (done.kind !== 'verified' && done.kind !== 'rebuilt') return;
    if (!done.proof.isEqual) return;
    for (const { stamp, entityId, atMs, region } of ledger.commits) {
      if (atMs >= runStartMs) continue;
      // Owed to all, and in no row: its own region has lost it.
      if (ledger.regionNamed(region).lost.has(entityId)) continue;
      for (const { name } of world.regions) {
        const { rows, collected, lost } = ledger.regionNamed(name);
        if (includesStamp(rows.get(entityId)?.vector, stamp) || collected.has(entityId)) continue;
        if ((lost.get(entityId)?.at(-1) ?? 0) >= runStartMs) continue;
        report('proof-flatters', `${id} calls the regions equal, and ${name} lacks ${stamp}`);
      }
    }
    for (const key of recordedBefore({ world, ledger }, runStartMs)) {
      for (const { name } of world.regions) {
        const { recordedMs, unrecordedMs } = ledger.regionNamed(name);
        if (recordedMs.has(key) || (unrecordedMs.get(key) ?? 0) >= runStartMs) continue;
        report(
          'proof-flatters',
          `${id} calls the regions equal, and ${name} lacks conflict ${key}`,
        );
      }
    }
  });
}

function recordedBefore(
  { world, ledger }: { readonly world: World; readonly ledger: Ledger },
  beforeMs: number,
): ReadonlySet<string> {
  const views = world.regions.map(({ name }) => ledger.regionNamed(name));
  return new Set(
    views.flatMap(({ recordedMs }) =>
      [...recordedMs].flatMap(([key, atMs]) => (atMs < beforeMs ? [key] : [])),
    ),
  );
}
