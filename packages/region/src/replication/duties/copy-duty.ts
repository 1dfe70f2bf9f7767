import {
  catalogKind,
  currentTable,
  isOverlaid,
  type Lease,
  readable,
  rowsIdOf,
  rowsKindOf,
  type TableGeneration,
  type TableSource,
} from '@tandem/core';
import {
  type CopyRecord,
  copyPage,
  createCopyRecord,
  createOldTable,
  createRowMemory,
  createStateTable,
  readTables,
  restartCopy,
  type StateTable,
  type StatusRow,
  type TableCatalogue,
} from '@tandem/storage';
import { createSources, type OpenSource, type Sources } from '../../connections.ts';
import { FREEZE_MS } from '../../open-tables.ts';
import type { Activity } from '../activity.ts';
import { openCatalogue, type PurgeOptions, writerOf } from './purge-duty.ts';
import { createTableWaits, type Duty, noteTrouble, type TableWaits } from './run-duties.ts';

interface CopyDutyOptions extends PurgeOptions {
  readonly openSource: OpenSource;
  /** Keeps several replicators from copying the same rows for nothing; nothing but time hangs on it. */
  readonly copyLease: Lease;
  readonly activity: Pick<Activity, 'notices' | 'noteCopy'>;
}

const INTERVAL_MS = 2_000;
/** A region that takes nothing over looks seldom: it costs a question to the catalogue. */
const IDLE_INTERVAL_MS = 10_000;
/** Until it ends no other process goes on for one that was killed; two at once do no harm. */
const LEASE_MS = 15_000;
/** A turn ends after so many pages, so that what is new in the catalogue is seen. */
const PAGES_PER_TURN = 20;
/** A page is a second or two; a source that hangs ends each call by itself. */
const STALL_MS = 600_000;
const WAITS = { delayMsMin: 2_000, delayMsMax: 60_000 };
/** A copy that left out rows begins anew after so long: somebody may have mended what was wrong. */
const AGAIN_MS = 600_000;

/** A table that this region takes over. */
interface Taken {
  readonly table: TableGeneration;
  readonly source: TableSource;
  readonly tableId: string;
}

/**
 * Copies the old tables that this region takes over, a few pages a turn, and takes a table that was left frozen on into
 * the overlay. A table that has trouble is named, waits, and holds up no other.
 */
export function createCopyDuty(options: CopyDutyOptions): Duty {
  const copier = new Copier(options);
  return {
    name: 'copy',
    intervalMs: () => (copier.isBusy ? INTERVAL_MS : IDLE_INTERVAL_MS),
    firstDelayMs: INTERVAL_MS,
    isNeededForReady: false,
    stallMs: STALL_MS,
    turn: (signal) => copier.turn(signal),
  };
}

class Copier {
  readonly #options: CopyDutyOptions;
  readonly #sources: Sources;
  readonly #catalogue: TableCatalogue;
  readonly #states = new Map<string, StateTable>();
  /** When this process first saw a table frozen, and when that freeze began: one that was frozen again is waited for anew. */
  readonly #frozen = new Map<string, { readonly sinceMs: number; readonly seenMs: number }>();
  readonly #waits: TableWaits;

  constructor(options: CopyDutyOptions) {
    const { clock, opened } = options;
    this.#options = options;
    this.#waits = createTableWaits(clock, WAITS);
    this.#sources = createSources({ ...options, configuration: opened.configuration });
    this.#catalogue = openCatalogue(options);
  }

  isBusy = false;

  async turn(signal: AbortSignal): Promise<void> {
    const { copyLease, kinds, logger, activity } = this.#options;
    if (!kinds.includes(catalogKind)) return;
    const taken = await this.#findTaken();
    this.isBusy = taken.length > 0;
    if (taken.length === 0 || !(await copyLease.acquire(LEASE_MS))) return;
    await this.#waits.advanceEach(taken, signal, {
      advance: (one) => this.#advance(one, signal),
      interrupted: async ({ table: { name }, source, tableId }, error, delayMs) => {
        logger.warn(
          { event: 'copy-interrupted', table: name, source: source.from, delayMs, error },
          'A table cannot be copied now; it is tried again from where it was.',
        );
        const record = await noteTrouble(this.#recordOf(tableId), error);
        if (record !== undefined) activity.noteCopy({ table: name, record });
      },
    });
  }

  async #findTaken(): Promise<readonly Taken[]> {
    const { store, region } = this.#options;
    const catalogue = await readTables({ store });
    return [...catalogue.values()].flatMap((generations): Taken[] => {
      const table = currentTable(generations);
      const source = readable(table?.source);
      if (table === undefined || source?.home !== region) return [];
      if (!['frozen', 'overlay'].includes(source.state)) return [];
      return [{ table, source, tableId: rowsIdOf(table) }];
    });
  }

  #recordOf(tableId: string): StatusRow<CopyRecord> {
    return createCopyRecord({ store: this.#options.store, tableId });
  }

  async #advance(one: Taken, signal: AbortSignal): Promise<void> {
    if (isOverlaid(one.source)) {
      this.#frozen.delete(one.tableId);
      return this.#copy(one, signal);
    }
    // Whoever froze it goes on at the end of the freeze; where he was cut off it is done here, by what was seen here.
    const nowMs = this.#options.clock.nowMs();
    const { sinceMs } = one.source;
    const known = this.#frozen.get(one.tableId);
    const seenMs = known?.sinceMs === sinceMs ? known.seenMs : nowMs;
    this.#frozen.set(one.tableId, { sinceMs, seenMs });
    if (nowMs - seenMs < 2 * FREEZE_MS) return;
    const lastWrittenMs = (await this.#sources.open(one.source.from).reads.timeMs()) ?? nowMs;
    const { name, generation } = one.table;
    const event = { kind: 'overlay' as const, lastWrittenMs, sinceMs };
    await this.#catalogue.advance(name, event, generation);
  }

  async #copy({ table, source, tableId }: Taken, signal: AbortSignal): Promise<void> {
    const { clock, copyLease, opened, logger, activity } = this.#options;
    const record = this.#recordOf(tableId);
    for (let page = 0; page < PAGES_PER_TURN && !signal.aborted; page += 1) {
      const startedMs = clock.nowMs();
      if (!(await copyLease.acquire(LEASE_MS))) return;
      const { reads } = this.#sources.open(source.from);
      const copied = await copyPage({
        states: this.#statesOf(table),
        openOld: (onRefused) =>
          createOldTable({ store: reads, table: source.table, tableId, onRefused }),
        tableId,
        source,
        record,
        clock,
      });
      const { written } = copied;
      activity.noteCopy({ table: table.name, record: copied.record, rows: source.rows, written });
      if (copied.isLast) return this.#finish({ table, source, tableId }, copied.record);
      const perSecond = opened.configuration.get('Tables.CopyRowsPerSecond');
      const dueMs = startedMs + (copied.rows / perSecond) * 1_000;
      logger.debug(
        { event: 'table-copying', table: table.name, read: copied.record.read },
        'A page of an old table was copied.',
      );
      if (dueMs > clock.nowMs()) await clock.sleep(dueMs - clock.nowMs(), signal);
    }
  }

  async #finish({ table, source, tableId }: Taken, record: CopyRecord): Promise<void> {
    const { clock, logger } = this.#options;
    const { read, written, refusedCount, refused, strayCount, stray } = record;
    const counts = { table: table.name, read, written, refused: refusedCount, stray: strayCount };
    if (strayCount > 0) {
      logger.error(
        { event: 'copy-stray-rows', ...counts, rows: stray },
        'Somebody still writes to a table that was taken over: his writes are in no region.',
      );
    }
    if (refusedCount > 0) {
      logger.error(
        { event: 'copy-incomplete', ...counts, rows: refused },
        'Rows of an old table can be in no region; the table stays overlaid, and is copied again later.',
      );
      this.#waits.during(tableId, AGAIN_MS);
      return restartCopy({ record: this.#recordOf(tableId), clock });
    }
    const event = { kind: 'copied' as const, copy: { read, written } };
    await this.#catalogue.advance(table.name, event, table.generation);
    logger.info(
      { event: 'table-copied', ...counts, source: source.from },
      'Every row of an old table is here. Prove it: tandem tables verify-copy.',
    );
  }

  /** Remembers no rows: each is written once. */
  #statesOf(table: TableGeneration): StateTable {
    const kind = rowsKindOf(table);
    const known = this.#states.get(kind.name);
    if (known !== undefined) return known;
    const states = createStateTable({
      kind,
      ...writerOf(kind.name, this.#options),
      memory: createRowMemory({ bytesMax: 0 }),
    });
    this.#states.set(kind.name, states);
    return states;
  }
}
