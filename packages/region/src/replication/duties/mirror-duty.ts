import {
  AppError,
  catalogKind,
  currentTable,
  isLeaving,
  isMirroredStill,
  type Lease,
  overlaidBy,
  readable,
  rowsIdOf,
  rowsKindOf,
  type TableGeneration,
  type TableMirror,
  type TableSource,
} from '@tandem/core';
import {
  createMirrorRecord,
  createOldTable,
  mirrorPage,
  queryOpenTable,
  readTables,
  type TableCatalogue,
} from '@tandem/storage';
import { createSources, type OpenSource, type Sources } from '../../connections.ts';
import { bucketCountOf } from '../../region-tables.ts';
import type { Activity } from '../activity.ts';
import { openCatalogue, type PurgeOptions } from './purge-duty.ts';
import { createTableWaits, type Duty, noteTrouble, type TableWaits } from './run-duties.ts';

interface MirrorDutyOptions extends PurgeOptions {
  readonly openSource: OpenSource;
  /** Only who holds it writes to a mirror; by it a return knows that nobody else does. */
  readonly mirrorLease: Lease;
  readonly activity: Pick<Activity, 'notices' | 'noteMirrors'>;
}

const INTERVAL_MS = 5_000;
/** A region that mirrors nothing looks seldom: it costs a question to the catalogue. */
const IDLE_INTERVAL_MS = 60_000;
const LEASE_MS = 60_000;
/** A turn ends after so many pages of a table, so that no other waits for long. */
const PAGES_PER_TURN = 20;
const STALL_MS = 600_000;
const WAITS = { delayMsMin: 5_000, delayMsMax: 60_000 };

/** A table that this region mirrors. */
interface Mirrored {
  readonly table: TableGeneration;
  readonly mirror: TableMirror;
  readonly tableId: string;
}

/**
 * Keeps plain tables equal to those of ours that this region mirrors: pass after pass over both. A mirror that has trouble is
 * named, waits, and holds up no other.
 */
export function createMirrorDuty(options: MirrorDutyOptions): Duty {
  const mirrors = new Mirrors(options);
  return {
    name: 'mirror',
    intervalMs: () => (mirrors.isBusy ? INTERVAL_MS : IDLE_INTERVAL_MS),
    firstDelayMs: INTERVAL_MS,
    isNeededForReady: false,
    stallMs: STALL_MS,
    turn: (signal) => mirrors.turn(signal),
  };
}

class Mirrors {
  readonly #options: MirrorDutyOptions;
  readonly #sources: Sources;
  readonly #waits: TableWaits;
  readonly #catalogue: TableCatalogue;

  constructor(options: MirrorDutyOptions) {
    const { clock, opened } = options;
    this.#options = options;
    this.#waits = createTableWaits(clock, WAITS);
    this.#sources = createSources({ ...options, configuration: opened.configuration });
    this.#catalogue = openCatalogue(options);
  }

  isBusy = false;

  async turn(signal: AbortSignal): Promise<void> {
    const { kinds, mirrorLease, activity } = this.#options;
    if (!kinds.includes(catalogKind)) return;
    const isAny = (await this.#find()).length > 0;
    this.isBusy = isAny;
    if (!isAny || !(await mirrorLease.acquire(LEASE_MS))) {
      activity.noteMirrors([]);
      return;
    }
    try {
      // Under the lease: whoever had it may have taken a table away since.
      await this.#work(await this.#find(), signal);
    } finally {
      // Between two turns somebody may return a table, and needs it for that.
      await mirrorLease.release();
    }
  }

  async #work(found: readonly Mirrored[], signal: AbortSignal): Promise<void> {
    const { logger, store } = this.#options;
    const mirrored: Mirrored[] = [];
    for (const one of found) {
      const { source } = one.table;
      if (isLeaving(source)) await this.#goOn(one, source);
      else mirrored.push(one);
    }
    await this.#waits.advanceEach(mirrored, signal, {
      advance: (one) => this.#advance(one, signal),
      interrupted: async ({ table, mirror, tableId }, error, delayMs) => {
        logger.warn(
          { event: 'mirror-interrupted', table: table.name, to: mirror.to, delayMs, error },
          'A table cannot be mirrored now; it is tried again from where it was.',
        );
        // A mirror that was dropped is made again at the beginning of a pass.
        const changed = error.code === 'TABLE_MISSING' ? { behind: '' } : {};
        await noteTrouble(createMirrorRecord({ store, tableId }), error, changed);
      },
    });
    if (signal.aborted) return;
    await this.#tell(mirrored);
  }

  async #find(): Promise<readonly Mirrored[]> {
    const { store, region } = this.#options;
    const catalogue = await readTables({ store });
    return [...catalogue.values()].flatMap((generations): Mirrored[] => {
      const table = currentTable(generations);
      const mirror = readable(table?.mirror);
      if (table === undefined || mirror?.home !== region) return [];
      return [{ table, mirror, tableId: rowsIdOf(table) }];
    });
  }

  /** Whoever returns a table has the lease all the while, so this one was cut off, and writes wait for it. */
  async #goOn({ table }: Mirrored, { state, sinceMs }: TableSource): Promise<void> {
    const { logger, region } = this.#options;
    const stay = { kind: 'stay' as const, home: region, sinceMs };
    try {
      if (state === 'returned') await this.#catalogue.finishReturn(table.name);
      else await this.#catalogue.stepReturn(table.name, stay, table.generation);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      logger.warn(
        { event: 'return-interrupted', table: table.name, error },
        'A return that was cut off can be neither ended nor taken back now; it is tried again.',
      );
      return;
    }
    logger.warn(
      { event: 'return-interrupted', table: table.name, state },
      state === 'returned'
        ? 'A return was cut off behind its end: the plain table is served now.'
        : 'A return was cut off before its end: the table stays, and takes writes again.',
    );
  }

  /**
   * Returns the table as it is while this process has the lease; undefined where it has not, or the table is no longer one to be
   * mirrored so. Asked for each page: the lease may have ended since the last, and somebody may have returned the table under it.
   */
  async #hold({ table, mirror }: Mirrored): Promise<TableGeneration | undefined> {
    if (!(await this.#options.mirrorLease.acquire(LEASE_MS))) return undefined;
    const now = (await this.#catalogue.findNow(table.key))?.table;
    const { generation } = table;
    if (now === undefined || !isMirroredStill(now, { generation, sinceMs: mirror.sinceMs })) {
      return undefined;
    }
    return isLeaving(now.source) ? undefined : now;
  }

  async #advance(one: Mirrored, signal: AbortSignal): Promise<void> {
    const { table, mirror, tableId } = one;
    const { store, clock, randomness, opened, mirrorLease } = this.#options;
    const kind = rowsKindOf(table);
    const over = overlaidBy(table.source);
    const old =
      over &&
      createOldTable({
        store: this.#sources.open(over.from).reads,
        table: over.table,
        tableId,
      });
    const bucketCount = bucketCountOf(kind.name, opened.settings);
    const rows = { store, kind, bucketCount, clock, randomness, tableId };
    const record = createMirrorRecord({ store, tableId });
    for (let page = 0; page < PAGES_PER_TURN && !signal.aborted; page += 1) {
      const startedMs = clock.nowMs();
      const now = await this.#hold(one);
      if (now === undefined) return;
      // Behind the copy a row that was deleted has no mark here for long: the old table would show it again.
      const shown = { ...rows, old: overlaidBy(now.source) && old };
      const { reads, writes } = this.#sources.open(mirror.to);
      const mirrored = await mirrorPage({
        ours: { query: (query) => queryOpenTable(query, shown) },
        tableId,
        store: reads,
        writes,
        leasedUntilMs: startedMs + LEASE_MS,
        mirror,
        record,
        clock,
      });
      if (mirrored.isLast) return;
      const perSecond = opened.configuration.get('Tables.CopyRowsPerSecond');
      const dueMs = startedMs + (mirrored.rows / perSecond) * 1_000;
      if (dueMs <= clock.nowMs()) continue;
      // At a slow pace longer than the lease, and than a return waits for it.
      await mirrorLease.release();
      await clock.sleep(dueMs - clock.nowMs(), signal);
    }
  }

  async #tell(mirrored: readonly Mirrored[]): Promise<void> {
    const { store, activity } = this.#options;
    const notes = await Promise.all(
      mirrored.map(async ({ table, mirror, tableId }) => {
        const seen = await createMirrorRecord({ store, tableId }).look();
        const isOwn = seen.kind === 'value' && seen.value.sinceMs === mirror.sinceMs;
        return { table: table.name, record: isOwn ? seen.value : undefined };
      }),
    );
    activity.noteMirrors(notes);
  }
}
