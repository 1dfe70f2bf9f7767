import type { TableOperation } from '../tables/tables-history.ts';
import type { Report } from './watch.ts';
import type { TablesWatchOptions } from './watch-tables.ts';

/** From when on (true time) which request was the last to write a row. */
interface LastRequest {
  readonly sinceMs: number;
  readonly request: string | undefined;
}

const REFUSED = new Set(['condition-failed', 'not-found']);

/**
 * I25: watches what becomes of requests that clients repeat since they had no answer, and returns what says in the end which
 * of the answers were false.
 */
export function watchRepeats(
  { world, ledger, history }: TablesWatchOptions,
  report: Report,
): () => void {
  const { scheduler } = world;
  const lasts = new Map<string, LastRequest[]>();
  const placeOf = (region: string, id: string): string => `${region} ${id}`;
  ledger.listen({
    onCommit(region, { entityId, stamp, state: { request } }) {
      const before = ledger.regionNamed(region).rows.get(entityId);
      if (request === undefined || before?.request !== request) return;
      report('request-done-twice', `${stamp} does ${request} in ${region} once more over itself`);
    },
    onRow(region, id, { request }) {
      const place = placeOf(region, id);
      const all = lasts.get(place) ?? [];
      lasts.set(place, all);
      if (all.at(-1)?.request === request) return;
      all.push({ sinceMs: scheduler.nowMs(), request });
    },
    onRemoved: (region, id) =>
      void lasts.get(placeOf(region, id))?.push({ sinceMs: scheduler.nowMs(), request: undefined }),
  });

  /** Whether a row was its own in that region for as long as the request took. */
  const isItsOwn = ({ region, request, startMs, endMs }: TableOperation, id: string): boolean => {
    const all = lasts.get(placeOf(region, id)) ?? [];
    const place = all.findLastIndex(({ sinceMs }) => sinceMs < startMs);
    return all[place]?.request === request && (all[place + 1]?.sinceMs ?? Infinity) > endMs;
  };

  return () => {
    for (const operation of history) {
      const { id, region, request, outcome, rows, answered } = operation;
      if (request === undefined) continue;
      if (outcome.kind === 'refused' && REFUSED.has(outcome.code)) {
        const own = rows.find((row) => isItsOwn(operation, row));
        if (own === undefined) continue;
        report('repeat-refused', `op ${id} was refused in ${region}, where it had written ${own}`);
      }
      if (outcome.kind !== 'done' || world.plan.wireVersion < REQUESTS_FROM) continue;
      for (const [place, stamp] of answered.entries()) {
        const row = rows[place] ?? '';
        const commit = ledger.commits.get(row)?.find((one) => one.stamp === stamp);
        if (stamp === '' || commit?.state.request === request) continue;
        const whose = commit?.state.request ?? 'nobody who was named';
        report('repeat-untrue', `op ${id} was told of ${stamp} of ${row}, the work of ${whose}`);
      }
    }
  };
}

/** Is the wire version from which on a row says which request wrote it. */
const REQUESTS_FROM = 7;
