import { formatGeneration, openTableId } from '@tandem/core';
import { includesStamp, isRawAlive, type RawState, timeMsOf } from '../observe/raw-state.ts';
import { TABLE_POLICIES } from '../tables/run-table-client.ts';
import type { TableOperation } from '../tables/tables-history.ts';
import type { RawOpenRow, TablesLedger, TablesView } from '../tables/tables-ledger.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

export interface TablesWatchOptions {
  readonly world: World;
  readonly ledger: TablesLedger;
  readonly history: readonly TableOperation[];
}

/** What processes of a region may still take for true after it was changed there. */
const TRUST_MS = 3_000;

/** Ids of rows begin with that of their table. */
const TABLE_ID_LENGTH = 8;

/** A table between its creation and its deletion, as the records of one region say. */
interface Generation {
  readonly key: string;
  readonly generation: number;
  readonly rowsOf: number;
  readonly isCreated: boolean;
  readonly deletedMs: number | undefined;
  /** Since when (true time) the deletion is known here. */
  readonly deletionSinceMs: number | undefined;
  readonly purgedMs: number | undefined;
}

/** Reads the records once more, without the product's rules. */
function generationsIn({ records }: TablesView): readonly Generation[] {
  const ids = new Set([...records.keys()].map((id) => id.replace('~deleted', '')));
  return [...ids].map((id) => {
    const [key = '', digits = ''] = id.split('~');
    const created = records.get(id);
    const deleted = records.get(`${id}~deleted`);
    const timeOf = (name: string): number | undefined => {
      const text = deleted?.columns.get(name)?.[1];
      return typeof text === 'string' ? Date.parse(text) : undefined;
    };
    const rowsOf = created?.columns.get('rowsOf')?.[1];
    return {
      key,
      generation: parseInt(digits, 36),
      rowsOf: parseInt(typeof rowsOf === 'string' ? rowsOf : digits, 36),
      isCreated: created !== undefined,
      deletedMs:
        deleted === undefined ? undefined : (timeOf('deletedAt') ?? Number.POSITIVE_INFINITY),
      deletionSinceMs: deleted?.sinceMs,
      purgedMs: timeOf('purgedAt'),
    };
  });
}

function isLiving({ isCreated, deletedMs }: Generation): boolean {
  return isCreated && deletedMs === undefined;
}

const ownerOf = (generations: readonly Generation[], id: string): Generation | undefined =>
  generations.find(({ key, generation }) => id.startsWith(tableIdOf(key, generation)));

const tableIds = new Map<string, string>();

function tableIdOf(key: string, generation: number): string {
  const name = `${key}~${generation}`;
  const known = tableIds.get(name) ?? openTableId(key, formatGeneration(generation));
  tableIds.set(name, known);
  return known;
}

/** Whether clocks of processes were wrong at any time: what goes by them is then another matter. */
function hadWrongClock({ faults }: World): boolean {
  return [...faults.counts.keys()].some((kind) => kind.startsWith('clock-'));
}

/** At each moment: I20 of rows, I22 of archives, and that nothing of the catalogue or of a table that can be had goes. */
export function watchTables({ world, ledger, history }: TablesWatchOptions, report: Report): void {
  const { plan } = world;
  /** It was decided on so long before it was written that nobody waited for it. */
  const isLate = (key: string): boolean =>
    history.some(
      (one) =>
        one.kind === 'restore' &&
        one.key === key &&
        Math.min(one.endMs, world.scheduler.nowMs()) - one.startMs > (plan.tables?.marginMs ?? 0),
    );
  ledger.listen({
    onRow(region, id, row, site) {
      const { vector } = row;
      checkPolicy(ledger, ledger.regionNamed(region), { id, row }, report);
      const { rows, removed } = ledger.regionNamed(region);
      const stamp = [...vector.values()].sort().at(-1) ?? '';
      const missing = ledger.members
        .get(stamp)
        ?.find((other) => !removed.has(other) && !includesStamp(rows.get(other)?.vector, stamp));
      if (missing === undefined) return;
      report('open-torn', `${site} wrote ${stamp} to ${id} in ${region}, and not to ${missing}`);
    },
    onRecord(region, id) {
      const [key = '', digits = ''] = id.split('~');
      const known = generationsIn(ledger.regionNamed(region)).filter((one) => one.key === key);
      const next = Math.max(-1, ...known.map(({ generation }) => generation)) + 1;
      if (parseInt(digits, 36) <= next) return;
      // Two regions that create at once would not give the same number.
      report('tables-differ', `${id} was made in ${region}, where ${next} is the next`);
    },
    onRecordGone(region, id) {
      report('table-revived', `the record ${id} is gone in ${region}`);
    },
    onRemoved(region, id, before) {
      if (before?.isAlive !== true) return;
      world.situations.note('table-purged');
      for (const name of plan.regions) {
        const generations = generationsIn(ledger.regionNamed(name));
        const own = ownerOf(generations, id);
        const shown = generations.filter(
          (one) => one.key === own?.key && one.rowsOf === own.generation && isLiving(one),
        );
        if (own?.purgedMs === undefined) {
          report('purged-early', `${id} went in ${region}, and ${name} does not know that it goes`);
        }
        if (shown.length > 0 && !isLate(own?.key ?? '')) {
          report('purged-early', `${id} went in ${region}, and ${name} has a table that shows it`);
        }
      }
      const own = ownerOf(generationsIn(ledger.regionNamed(region)), id);
      const { keepMsMin = 0, marginMs = 0 } = plan.tables ?? {};
      const keptUntilMs = (own?.deletedMs ?? 0) + keepMsMin + marginMs;
      if (!hadWrongClock(world) && world.scheduler.nowMs() < keptUntilMs) {
        report('purged-early', `${id} went in ${region}, where it is kept until ${keptUntilMs}`);
      }
    },
    onTrimmed(region, stamp) {
      const { archiveFromMs } = ledger.regionNamed(region);
      for (const [entityId, commits] of ledger.commits) {
        const ofTable = archiveFromMs.get(entityId.slice(0, TABLE_ID_LENGTH));
        const fromMs = ofTable ?? archiveFromMs.get('') ?? 0;
        if (timeMsOf(stamp) >= fromMs && commits.some((one) => one.stamp === stamp))
          report(
            'open-trimmed-early',
            `${stamp} went in ${region}, where ${entityId} goes back further`,
          );
      }
      for (const name of plan.regions) {
        const { archived, removed } = ledger.regionNamed(name);
        const ids = [...ledger.commits.values()].flat().filter((one) => one.stamp === stamp);
        if (archived.has(stamp) || ids.some(({ entityId }) => removed.has(entityId))) continue;
        if (ids.length === 0) continue;
        report('open-trimmed-early', `${stamp} went in ${region}, and ${name} does not have it`);
      }
    },
  });
}

/** While a dead letter lies somewhere, its region does not say what it has, and nobody purges. */
function isAnyDead({ regions }: World): boolean {
  return regions.some(({ namespace: { bus, queue } }) => bus.deadLettersOf(queue).length > 0);
}

/** Whether all that was written to tables is everywhere, and all that is to go has gone. */
export function haveTablesConverged({ world, ledger }: TablesWatchOptions): boolean {
  const views = world.plan.regions.map((name) => ledger.regionNamed(name));
  if (views.some(({ outboxKeys }) => outboxKeys.size > 0)) return false;
  if (differencesIn(ledger, world.plan.regions).length > 0) return false;
  if (isAnyDead(world)) return true;
  const nowMs = world.scheduler.nowMs();
  return views.every(
    (view) =>
      leftoversIn(view, nowMs).length === 0 &&
      // What has no rows is marked as well, and that is a write like any other.
      goneIn(generationsIn(view), nowMs).every(({ purgedMs }) => purgedMs !== undefined),
  );
}

/** What the stores do not have alike, or not as it was committed, in words. */
function differencesIn(
  ledger: TablesLedger,
  regions: readonly string[],
): readonly (readonly [checker: string, text: string])[] {
  const found: [string, string][] = [];
  const [first = '', ...others] = regions;
  const one = ledger.regionNamed(first);
  for (const name of others) {
    const other = ledger.regionNamed(name);
    for (const id of new Set([...one.records.keys(), ...other.records.keys()])) {
      const texts = [one.records.get(id)?.text, other.records.get(id)?.text];
      if (texts[0] !== texts[1]) {
        found.push(['tables-differ', `${id} is ${texts[0]} in ${first}, ${texts[1]} in ${name}`]);
      }
    }
  }
  for (const name of regions) {
    const view = ledger.regionNamed(name);
    const generations = generationsIn(view);
    for (const [id, truth] of ledger.truth) {
      // Once its rows go, what a region has of them is its own matter; and of what was removed older lives are forgotten.
      const isGone = ownerOf(generations, id)?.purgedMs !== undefined;
      const wasRemoved = regions.some((region) => ledger.regionNamed(region).removed.has(id));
      if (isGone && !isShown(generations, id)) continue;
      const row = view.rows.get(id);
      if (wasRemoved && row === undefined && !isRawAlive(truth)) continue;
      const fault = wasRemoved ? undefined : faultOf(row, truth);
      if (fault !== undefined) found.push(['open-lost', `${id} in ${name}: ${fault}`]);
      const text = one.rows.get(id)?.text;
      if (!wasRemoved && row?.text !== text) {
        found.push(['open-differs', `${id} is ${text} in ${first}, ${row?.text} in ${name}`]);
      }
    }
  }
  return found;
}

function isShown(generations: readonly Generation[], id: string): boolean {
  const own = ownerOf(generations, id);
  return generations.some(
    (one) => one.key === own?.key && one.rowsOf === own.generation && isLiving(one),
  );
}

function faultOf(row: RawOpenRow | undefined, truth: RawState): string | undefined {
  if (row === undefined) return 'it is not there';
  if (row.isAlive !== isRawAlive(truth)) return row.isAlive ? 'it lives' : 'it does not live';
  for (const stamp of truth.vector.values()) {
    if (!includesStamp(row.vector, stamp)) return `${stamp} is missing`;
  }
  if (row.request !== truth.request) return `it is of the request ${row.request}`;
  if (!row.isAlive) return undefined;
  const wanted = [...truth.fields].flatMap(([name, { value }]) => (value === null ? [] : [name]));
  const missing = wanted.find(
    (name) =>
      JSON.stringify(row.values.get(name)) !== JSON.stringify(truth.fields.get(name)?.value),
  );
  if (missing !== undefined) return `${missing} is another`;
  const added = [...row.values.keys()].find((name) => !wanted.includes(name));
  return added && `${added} should not be there`;
}

/** Deleted tables that no table shows; of what a clock that was ahead had deleted, once that is over. */
function goneIn(generations: readonly Generation[], nowMs: number): readonly Generation[] {
  return generations.filter(({ key, generation }) =>
    generations.every(
      (one) =>
        one.key !== key ||
        (one.generation !== generation && one.rowsOf !== generation) ||
        (one.deletedMs ?? Number.POSITIVE_INFINITY) <= nowMs,
    ),
  );
}

/** Rows of deleted tables that no table shows. */
function leftoversIn(view: TablesView, nowMs: number): readonly string[] {
  const generations = generationsIn(view);
  const dead = goneIn(generations, nowMs);
  return [...view.rows].flatMap(([id, { isAlive }]) => {
    const own = ownerOf(dead, id);
    return own === undefined || !isAlive || isShown(generations, id) ? [] : [id];
  });
}

/** What holds in the end, when all is quiet. */
export function checkTables(options: TablesWatchOptions, report: Report): void {
  const { world, ledger, history } = options;
  const { regions } = world.plan;
  for (const [checker, text] of differencesIn(ledger, regions)) report(checker, text);
  for (const name of regions) {
    const view = ledger.regionNamed(name);
    const living = generationsIn(view).filter(isLiving);
    for (const [key, own] of Map.groupBy(living, (one) => one.key)) {
      if (own.length > 1)
        report('tables-differ', `${own.length} generations of ${key} live in ${name}`);
    }
    const [left] = leftoversIn(view, world.scheduler.nowMs());
    if (left !== undefined && !isAnyDead(world))
      report('unpurged', `${left} of a deleted table is left in ${name}`);
  }
  for (const operation of history) checkOperation(options, operation, report);
}

/** I23: where a write owns the whole row, all of it is what one write left. */
function checkPolicy(
  ledger: TablesLedger,
  view: TablesView,
  { id, row }: { readonly id: string; readonly row: RawOpenRow },
  report: Report,
): void {
  const key = ownerOf(generationsIn(view), id)?.key as keyof typeof TABLE_POLICIES | undefined;
  if (key === undefined || TABLE_POLICIES[key] !== 'row' || !row.isAlive) return;
  const isOne = ledger.commits.get(id)?.some(({ state }) => {
    const values = [...state.fields].filter(([, { value }]) => value !== null);
    return (
      values.length === row.values.size &&
      values.every(
        ([name, { value }]) => JSON.stringify(value) === JSON.stringify(row.values.get(name)),
      )
    );
  });
  if (isOne !== true) report('row-mixed', `${id} is of several writes: ${row.text}`);
}

/**
 * I21: no process takes for living what was deleted, once its region has answered so or known it for long enough; and
 * none makes what it knows to be deleted. A region that has heard of neither makes the same table as the other.
 */
function checkOperation(
  { world, ledger, history }: TablesWatchOptions,
  operation: TableOperation,
  report: Report,
): void {
  const { id, region, key, generation, startMs, endMs, kind, outcome, isNew } = operation;
  if (outcome.kind !== 'done' || generation === undefined || kind === 'delete') return;
  const isBefore = (other: TableOperation): boolean =>
    other.kind === 'delete' &&
    other.outcome.kind === 'done' &&
    other.key === key &&
    other.generation === generation &&
    other.region === region &&
    other.endMs < startMs;
  const deletion = history.find(isBefore);
  if (deletion !== undefined && !hadWrongClock(world)) {
    report(
      'table-revived',
      `op ${id} found ${key} ${generation}, which op ${deletion.id} had deleted`,
    );
  }
  const own = generationsIn(ledger.regionNamed(region)).find(
    (one) => one.key === key && one.generation === generation,
  );
  const sinceMs = own?.deletionSinceMs ?? Number.POSITIVE_INFINITY;
  const trustMs = isNew ? 0 : TRUST_MS;
  if (!hadWrongClock(world) && sinceMs + trustMs < startMs && endMs > startMs) {
    report(
      'table-revived',
      `op ${id} found ${key} ${generation} in ${region}, deleted at ${sinceMs}`,
    );
  }
}
