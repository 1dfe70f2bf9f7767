// The catalogue of tables as a process of a region asks and changes it: docs/adr/0033. What follows from its records is
// decided in core; here they are read, remembered for a short time, and written.
import {
  AppError,
  advanceSource,
  assert,
  CATALOG_BUCKET_COUNT,
  type Catalogue,
  type Clock,
  catalogKind,
  checkFixed,
  checkMirrorEnd,
  checkSettings,
  currentTable,
  decideAdopt,
  decideCreate,
  decideDelete,
  decideMirror,
  decideMove,
  decideRestore,
  decideReturn,
  decodeMirror,
  decodeOrigin,
  encodeMirror,
  encodeOrigin,
  encodeVector,
  formatGeneration,
  isAlive,
  isHeldIn,
  isLeaving,
  keepSettingsOf,
  type MoveStep,
  nextGeneration,
  type Origin,
  openTableId,
  pagesOf,
  type ReturnStep,
  readable,
  readCatalogue,
  recordIdOf,
  SERVICE_RECORD_ID,
  type SourceEvent,
  type StoredRecord,
  sourceAfterReturn,
  spacesOf,
  type TableGeneration,
  type TableMirror,
  type TableMove,
  type TableRow,
  type TableSettings,
  type TableSource,
  type TableStore,
  TerminalError,
  tableKeyOf,
  toChange,
  toCreation,
  toDeletion,
  toEntity,
  UNREADABLE,
  UNREADABLE_ORIGIN,
  untilUncontended,
} from '@tandem/core';
import type { ReplicatedTable } from '../replicated-table.ts';
import { type DamagedEntityRow, judgeRow } from '../rows/entity-row.ts';
import { decodeRowKey, ENTITY_ROWS_FROM, encodeRowKey, SYSTEM_ROWS_FROM } from '../rows/row-key.ts';

/** A table that was found, and how long it may be taken for the current one without asking again. */
export interface FoundTable {
  readonly table: TableGeneration;
  /** On the clock of this process, in milliseconds since the epoch. */
  readonly trustedUntilMs: number;
}

export type CreateOutcome =
  | { readonly kind: 'created'; readonly table: TableGeneration }
  | { readonly kind: 'exists'; readonly table: TableGeneration };

/**
 * The tables of clients. Every method throws `TABLE_REQUEST_INVALID` for what is no name of a table, and what the
 * store throws.
 */
export interface TableCatalogue {
  /** Returns the living table of that name, in any case; undefined where there is none. */
  find(name: string): Promise<FoundTable | undefined>;
  /** Returns the same as the region's table has it at this moment, whatever is remembered. */
  findNow(name: string): Promise<FoundTable | undefined>;
  /**
   * Tells whether it is still the current table, written to where it was found to be, and none whose writes `region`, this one, holds on its way out. To be asked after a
   * write was committed and before it is acknowledged: when a deletion is answered, nothing is acknowledged into what was deleted.
   */
  confirm(found: FoundTable, region: string): Promise<boolean>;
  /** Returns the living tables by their names, as the region has them now. */
  list(): Promise<readonly TableGeneration[]>;
  /** Returns every generation of a name, the oldest first. */
  generations(name: string): Promise<readonly TableGeneration[]>;
  /**
   * Throws `TABLE_REQUEST_INVALID` where the table lives with another policy or replication than is asked for, and for
   * settings that no region follows.
   */
  create(name: string, settings?: TableSettings): Promise<CreateOutcome>;
  /**
   * Makes a table whose rows are those of a plain one, in the state `proxy`. Throws `TABLE_REQUEST_INVALID` where a table of
   * that name lives that is not taken over from there.
   */
  adopt(
    name: string,
    source: Pick<TableSource, 'home' | 'from' | 'table' | 'rows'>,
    settings?: TableSettings,
  ): Promise<CreateOutcome>;
  /**
   * Changes the state of a table that is taken over, in its home region alone and unless somebody else changes it
   * meanwhile. Throws `TABLE_REQUEST_INVALID` for what its state does not allow, and where there is no such table.
   */
  advance(name: string, event: SourceEvent, generation?: number): Promise<TableSource>;
  /**
   * Has a plain table kept equal to it, or, with undefined, no longer. Returns the mirror that there is, or was; undefined where
   * there was none to end. Throws `TABLE_REQUEST_INVALID` where it may not be so, and where there is no such table.
   */
  mirror(
    name: string,
    asked: Omit<TableMirror, 'sinceMs'> | undefined,
  ): Promise<TableMirror | undefined>;
  /**
   * Takes a step of a return in the region that mirrors the table, unless somebody else changes it meanwhile. Returns the source
   * that it has then; undefined where it has none. Throws `TABLE_REQUEST_INVALID`, saying what stands in the way.
   */
  stepReturn(name: string, step: ReturnStep, generation?: number): Promise<TableSource | undefined>;
  /**
   * Takes a step of a move to the other space in the region that began it, unless somebody else changes the record meanwhile.
   * Returns the move that there is then; undefined where the table rests in the first space. Throws `TABLE_REQUEST_INVALID`, saying
   * what stands in the way.
   */
  stepMove(name: string, step: MoveStep, generation?: number): Promise<TableMove | undefined>;
  /**
   * Makes what a table that has left is from then on: the next generation, a proxy of the plain table. Returns it, or
   * what there is already; undefined where the table has not left.
   */
  finishReturn(name: string): Promise<TableGeneration | undefined>;
  /** Ends the generations that one of a proxy has followed, so that their rows go as those of what was deleted. */
  endReturned(name: string): Promise<void>;
  /** Changes what it names; undefined where there is no such table. Throws as `create` does. */
  change(name: string, settings: TableSettings): Promise<TableGeneration | undefined>;
  /**
   * Ends the living table of that name; undefined where there is none. Resolves when no process of this region
   * acknowledges a write into it any more, three seconds later.
   */
  remove(name: string): Promise<TableGeneration | undefined>;
  /** Brings a deleted table back with its rows. Throws `TABLE_REQUEST_INVALID`, saying why it cannot. */
  restore(name: string, generation?: number): Promise<TableGeneration>;
  /** Returns what holds for all tables, as it was set; undefined where nothing was. */
  service(): Promise<string | undefined>;
  /** Throws `ENTITY_INVALID` for a document that is too long. */
  setService(document: string): Promise<void>;
}

export interface TableCatalogueOptions {
  readonly store: TableStore;
  /** The replicated table of the kind, to write to. */
  readonly table: ReplicatedTable<typeof catalogKind>;
  readonly clock: Clock;
  /** How long the rows of what was deleted are kept, in milliseconds. */
  readonly keepMs: () => number;
  /** What a table's `tombstoneAgeMs` is at least, in milliseconds; an hour by default. */
  readonly tombstoneAgeMsMin?: number | undefined;
  /** Told when what is remembered could not be read anew; it is asked for by name then. */
  readonly onRefreshFailed?: (error: AppError) => void;
  /** Told of each row that is none of the catalogue, or that nobody can read. */
  readonly onDamaged?: (row: DamagedEntityRow) => void;
}

/** What is remembered is read anew when it is this old, while it is asked for. */
const REFRESH_MS = 1_000;
/** Nothing is acknowledged on what is remembered for longer. */
export const TABLE_TRUST_MS = 3_000;
const ATTEMPTS_MAX = 10;
/** Bounds the memory of every process of a region. */
const GENERATIONS_KEPT_MAX = 50_000;
const PAGE_ROWS = 1_000;
const BUCKET = '00';

interface Known {
  readonly catalogue: Catalogue;
  /** Is when reading began. */
  readonly askedMs: number;
}

export function createTableCatalogue(options: TableCatalogueOptions): TableCatalogue {
  const { table, clock } = options;
  const records = new Records(options);
  const own = { ...options, records };

  return {
    find: async (name) => records.find(tableKeyOf(name)),
    findNow: async (name) => records.findNow(tableKeyOf(name)),
    confirm: (found, region) => records.confirm(found, region),
    list: () => records.list(),
    generations: async (name) => records.ofName(tableKeyOf(name)),
    async create(name, settings = {}) {
      checkSettings(name, settings, options);
      return writeDecided(name, { records, table }, (generations) => {
        const decision = decideCreate(name, settings, generations);
        if (decision.kind === 'exists') return decision;
        return { ...decision, record: toCreation(name, settings, { nowMs: clock.nowMs() }) };
      });
    },
    async adopt(name, from, settings = {}) {
      checkSettings(name, settings, options);
      const nowMs = clock.nowMs();
      const source = { ...from, state: 'proxy' as const, sinceMs: nowMs };
      return writeDecided(name, { records, table }, (generations) => {
        const decision = decideAdopt(name, from, generations);
        if (decision.kind === 'exists') return decision;
        return { ...decision, record: toCreation(name, settings, { nowMs, source }) };
      });
    },
    advance: (name, event, generation) => advance({ name, event, generation }, own),
    mirror: (name, asked) => setMirror({ name, asked }, own),
    stepReturn: (name, step, generation) => stepReturn({ name, step, generation }, own),
    stepMove: (name, step, generation) => stepMove({ name, step, generation }, own),
    finishReturn: (name) => finishReturn(name, own),
    async endReturned(name) {
      await endAll(decideDelete(await records.ofName(tableKeyOf(name))).slice(0, -1), own);
    },
    change: (name, settings) => changeSettings(name, settings, own),
    async remove(name) {
      const ended = decideDelete(await records.ofName(tableKeyOf(name)));
      await endAll(ended, own);
      const last = ended.at(-1);
      // Until then other processes may go by what they remember.
      if (last !== undefined) await clock.sleep(TABLE_TRUST_MS);
      return last;
    },
    restore: (name, generation) => restore(name, generation, own),
    service: async () => (await table.get(SERVICE_RECORD_ID))?.entity.service ?? undefined,
    async setService(service) {
      await table.put(SERVICE_RECORD_ID, { service });
    },
  };
}

type Own = TableCatalogueOptions & { readonly records: Records };

async function endAll(
  ended: readonly TableGeneration[],
  { records, table, clock }: Own,
): Promise<void> {
  for (const one of ended) {
    const { entityId, entity } = toDeletion(one, clock.nowMs());
    // Whoever else has deleted it meanwhile has done the same.
    await table.put(entityId, entity, { kind: 'absent' });
  }
  records.forget();
}

async function changeSettings(
  name: string,
  settings: TableSettings,
  options: Own,
): Promise<TableGeneration | undefined> {
  const { records, table } = options;
  checkSettings(name, settings, options);
  const key = tableKeyOf(name);
  const current = currentTable(await records.ofName(key));
  if (current === undefined) return undefined;
  checkFixed(current, settings);
  await table.patch(recordIdOf(key, current.generation, 'creation'), toChange(name, settings));
  records.forget();
  return currentTable(await records.ofName(key));
}

/** The records of the region: read, and remembered for a short time. */
class Records {
  readonly #options: TableCatalogueOptions;
  #known: Known | undefined;
  #reading: Promise<Known> | undefined;

  constructor(options: TableCatalogueOptions) {
    this.#options = options;
  }

  async find(key: string): Promise<FoundTable | undefined> {
    const known = this.#known;
    if (known === undefined || this.#nowMs() - known.askedMs >= REFRESH_MS) this.#refreshBehind();
    const trustedUntilMs = (known?.askedMs ?? 0) + TABLE_TRUST_MS;
    // That there is none is not believed: another process may just have answered that it made one.
    const current = currentTable(known?.catalogue.get(key));
    if (current !== undefined && this.#isTrusted(trustedUntilMs)) {
      return { table: current, trustedUntilMs };
    }
    return this.findNow(key);
  }

  async findNow(key: string): Promise<FoundTable | undefined> {
    const trustedUntilMs = this.#nowMs() + TABLE_TRUST_MS;
    const current = currentTable(await this.ofName(key));
    return current && { table: current, trustedUntilMs };
  }

  async confirm({ table, trustedUntilMs }: FoundTable, region: string): Promise<boolean> {
    const { key, generation, source } = table;
    // Of one on its way out nothing is trusted: a clock that is set back would make it last longer than its writes are held.
    if (!isLeaving(source) && this.#isTrusted(trustedUntilMs)) return true;
    const current = await this.findNow(key);
    if (current?.table.generation !== generation) return false;
    // Other processes may write to the new space by now, and see nothing of what comes late to the old one.
    if (spacesOf(current.table).own !== spacesOf(table).own) return false;
    // Nobody waits any more for what a table on its way out is written.
    return !isHeldIn(region, current.table.source);
  }

  async list(): Promise<readonly TableGeneration[]> {
    const { catalogue } = await this.#readAll();
    return [...catalogue.values()]
      .flatMap((generations) => currentTable(generations) ?? [])
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** Reads the generations of one name. */
  async ofName(key: string): Promise<readonly TableGeneration[]> {
    const [from = '', before = ''] = [`${key}~`, `${key}\u007f`].map(encodeRowKey);
    const records = await scanRecords(this.#options, from, before);
    return readCatalogue(records).get(key) ?? [];
  }

  /** Forgets what is remembered: this process has changed it. */
  forget(): void {
    this.#known = undefined;
  }

  /** Reads every generation of every name. */
  async all(): Promise<readonly TableGeneration[]> {
    const { catalogue } = await this.#readAll();
    return [...catalogue.values()].flat();
  }

  async #readAll(): Promise<Known> {
    const askedMs = this.#nowMs();
    const records = await scanRecords(this.#options, ENTITY_ROWS_FROM, SYSTEM_ROWS_FROM);
    const read = { catalogue: readCatalogue(records), askedMs };
    // A slower reading that began before must not replace what a faster one has brought.
    if (this.#known === undefined || this.#known.askedMs <= askedMs) this.#known = read;
    return read;
  }

  #refreshBehind(): void {
    this.#reading ??= this.#readAll().finally(() => (this.#reading = undefined));
    this.#reading.catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error;
      this.#options.onRefreshFailed?.(error);
    });
  }

  #isTrusted(untilMs: number): boolean {
    const leftMs = untilMs - this.#nowMs();
    // A clock that was set back must not make it last longer.
    return leftMs > 0 && leftMs <= TABLE_TRUST_MS;
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }
}

type Decided =
  | { readonly kind: 'exists'; readonly table: TableGeneration }
  | {
      readonly kind: 'create';
      readonly generation: number;
      readonly record: ReturnType<typeof toCreation>;
    };

/** Writes what is decided on what there is, until nobody else has written meanwhile. */
async function writeDecided(
  name: string,
  { records, table }: { readonly records: Records } & Pick<TableCatalogueOptions, 'table'>,
  decide: (generations: readonly TableGeneration[]) => Decided,
): Promise<CreateOutcome> {
  const key = tableKeyOf(name);
  return untilUncontended(
    async (): Promise<CreateOutcome | { readonly contended: string }> => {
      const decided = decide(await records.ofName(key));
      if (decided.kind === 'exists') return decided;
      refuseUnkeepable(name, { key, generation: decided.generation }, await records.all());
      const entityId = recordIdOf(key, decided.generation, 'creation');
      const outcome = await table.put(entityId, decided.record, { kind: 'absent' });
      if (outcome.kind !== 'created') return { contended: `Table ${name}` };
      records.forget();
      const [created] = readCatalogue([{ entityId, entity: outcome.record.entity }]).get(key) ?? [];
      assert(created !== undefined, 'a record of the catalogue is one of a generation');
      return { kind: 'created', table: created };
    },
    { attemptsMax: ATTEMPTS_MAX, remedy: 'Try again.' },
  );
}

async function restore(
  name: string,
  generation: number | undefined,
  options: Own,
): Promise<TableGeneration> {
  const { clock } = options;
  const { table: restored } = await writeDecided(name, options, (generations) => {
    const nowMs = clock.nowMs();
    const asked = { generation, nowMs, keepMs: options.keepMs() };
    const { from, last, rowsOf, generation: next } = decideRestore(name, generations, asked);
    const known = readable(last.source);
    // Who brings back what has left, or was about to, wants the rows as they were here.
    const source = isLeaving(known) ? known.before : known;
    const { move } = last;
    const record = toCreation(from.name, settingsOf(from), { nowMs, rowsOf, source, move });
    return { kind: 'create', generation: next, record };
  });
  return restored;
}

interface Asked {
  readonly name: string;
  /** Refused of another one; of whichever is current where undefined. */
  readonly generation: number | undefined;
  readonly none: () => TerminalError;
}

/** What of a record was seen, of whose version a change is made. */
interface Seen extends Origin, Pick<TableGeneration, 'mirror'> {
  readonly current: TableGeneration;
}

interface Change<T> {
  readonly result: T;
  /** Nothing is written without. */
  readonly patch?: { readonly source: string | null } | { readonly mirror: string | null };
}

/** Changes the record of a table on the version that was seen, until nobody else has changed it meanwhile. */
async function changeRecord<T>(
  { name, generation, none }: Asked,
  { records, table }: Own,
  decide: (seen: Seen) => Change<T> | Promise<Change<T>>,
): Promise<T> {
  const attempt = async (): Promise<{ readonly done: T } | { readonly contended: string }> => {
    const current = currentTable(await records.ofName(tableKeyOf(name)));
    if (current === undefined || (generation ?? current.generation) !== current.generation) {
      throw none();
    }
    const entityId = recordIdOf(current.key, current.generation, 'creation');
    // Read again by itself: its version is what the change is made on.
    const record = await table.get(entityId);
    if (record === undefined) throw none();
    const { source, mirror } = record.entity;
    const read = decodeOrigin(source);
    const { result, patch } = await decide({
      current,
      ...(current.source === UNREADABLE ? UNREADABLE_ORIGIN : read),
      mirror: mirror === null ? undefined : decodeMirror(mirror),
    });
    if (patch === undefined) return { done: result };
    const versions = [encodeVector(record.version)];
    const outcome = await table.patch(entityId, patch, { kind: 'version', versions });
    records.forget();
    return outcome.kind === 'replaced' ? { done: result } : { contended: `Table ${name}` };
  };
  const remedy = 'Try again.';
  return (await untilUncontended(attempt, { attemptsMax: ATTEMPTS_MAX, remedy })).done;
}

interface Advance extends Pick<Asked, 'name' | 'generation'> {
  readonly event: SourceEvent;
}

function advance({ event, ...asked }: Advance, own: Own): Promise<TableSource> {
  const { name } = asked;
  const none = (): TerminalError => notTakenOver(name, 'there is no such table');
  return changeRecord({ ...asked, none }, own, ({ source, move }) => {
    if (source === undefined) throw notTakenOver(name, 'it was made here');
    if (source === UNREADABLE) throw notTakenOver(name, 'a newer build wrote how');
    const next = advanceSource(source, event, { table: name, nowMs: own.clock.nowMs() });
    return next === source
      ? { result: next }
      : { result: next, patch: { source: encodeOrigin({ source: next, move }) } };
  });
}

type MirrorAsked = Omit<TableMirror, 'sinceMs'> | undefined;

/** Resolves to the mirror that is kept now, or to the one that was ended. */
function setMirror(
  { name, asked }: { readonly name: string; readonly asked: MirrorAsked },
  own: Own,
): Promise<TableMirror | undefined> {
  const none = (): TerminalError => noTableTo(name, 'mirrored');
  return changeRecord({ name, generation: undefined, none }, own, async (seen) =>
    asked === undefined ? endMirror(seen) : beginMirror(seen, asked, own),
  );
}

function endMirror({ current, source, mirror }: Seen): Change<TableMirror | undefined> {
  checkMirrorEnd({ name: current.name, source });
  if (mirror === undefined) return { result: undefined };
  return {
    result: readable(mirror),
    patch: { mirror: null },
  };
}

async function beginMirror(
  { current, mirror, move }: Seen,
  asked: NonNullable<MirrorAsked>,
  { records, clock }: Own,
): Promise<Change<TableMirror>> {
  const known = decideMirror({ ...current, mirror, move }, asked, await records.list());
  if (known !== undefined) return { result: known };
  const begun = { ...asked, sinceMs: clock.nowMs() };
  return { result: begun, patch: { mirror: encodeMirror(begun) } };
}

interface ReturnAsked extends Pick<Asked, 'name' | 'generation'> {
  readonly step: ReturnStep;
}

function stepReturn({ step, ...asked }: ReturnAsked, own: Own): Promise<TableSource | undefined> {
  const none = (): TerminalError => noTableTo(asked.name, 'returned');
  return changeRecord({ ...asked, none }, own, ({ current, source, move, mirror }) => {
    const next = decideReturn(
      { name: current.name, source, move, mirror },
      step,
      own.clock.nowMs(),
    );
    return next === source
      ? { result: next }
      : { result: next, patch: { source: encodeOrigin({ source: next, move }) } };
  });
}

interface MoveAsked extends Pick<Asked, 'name' | 'generation'> {
  readonly step: MoveStep;
}

function stepMove({ step, ...asked }: MoveAsked, own: Own): Promise<TableMove | undefined> {
  const none = (): TerminalError => noTableTo(asked.name, 'moved');
  return changeRecord({ ...asked, none }, own, ({ current, source, move, mirror }) => {
    const { name, replicate } = current;
    const seen = { name, replicate, source, move, mirror };
    const next = decideMove(seen, step, own.clock.nowMs());
    if (next === move || source === UNREADABLE) return { result: next };
    return { result: next, patch: { source: encodeOrigin({ source, move: next }) } };
  });
}

function noTableTo(name: string, what: string): TerminalError {
  return new TerminalError('TABLE_REQUEST_INVALID', `There is no table ${name} to be ${what}.`);
}

/** Whoever else does it at the same time makes the same. */
async function finishReturn(
  name: string,
  { records, table, clock }: Own,
): Promise<TableGeneration | undefined> {
  const current = currentTable(await records.ofName(tableKeyOf(name)));
  const left = readable(current?.source);
  if (current === undefined || left?.state !== 'returned') return undefined;
  const { table: made } = await writeDecided(name, { records, table }, (generations) => {
    const now = currentTable(generations);
    if (now !== undefined && now.generation !== current.generation) {
      return { kind: 'exists', table: now };
    }
    if (now === undefined) throw notTakenOver(name, 'it was deleted meanwhile');
    const nowMs = clock.nowMs();
    const source = sourceAfterReturn(left, { follows: current.rowsOf, nowMs });
    return {
      kind: 'create',
      generation: nextGeneration(name, generations),
      record: toCreation(current.name, settingsOf(current), { nowMs, source }),
    };
  });
  return made;
}

function notTakenOver(name: string, why: string): TerminalError {
  return new TerminalError(
    'TABLE_REQUEST_INVALID',
    `The state of table ${name} cannot be changed: ${why}. See tandem tables show.`,
    { details: { table: name } },
  );
}

function settingsOf(table: TableGeneration): TableSettings {
  const { policy, replicate, acl } = table;
  assert(replicate !== UNREADABLE, 'what nobody can read is not written anew');
  return {
    policy,
    replicate,
    ...keepSettingsOf(table),
    ...(acl === undefined ? {} : { acl }),
  };
}

/** Refuses one table too many, and one whose rows would lie among those of another: docs/adr/0034. */
function refuseUnkeepable(
  name: string,
  wanted: Pick<TableGeneration, 'key' | 'generation'>,
  kept: readonly TableGeneration[],
): void {
  if (kept.length >= GENERATIONS_KEPT_MAX) {
    throw new TerminalError(
      'TABLE_LIMIT_EXCEEDED',
      `The catalogue holds ${kept.length} tables, those that were deleted included; the limit is ` +
        `${GENERATIONS_KEPT_MAX}. Use partitions of one table in place of many tables.`,
    );
  }
  const tableId = tableIdOf(wanted);
  const other = kept.find((one) => one.key !== wanted.key && tableIdOf(one) === tableId);
  if (other === undefined) return;
  throw new TerminalError(
    'TABLE_REQUEST_INVALID',
    `A table ${name} would share its rows with ${other.name}, whose name has the same hash. Choose another name.`,
  );
}

function tableIdOf({ key, generation }: Pick<TableGeneration, 'key' | 'generation'>): string {
  return openTableId(key, formatGeneration(generation));
}

/** Reads every generation of every name that a region knows, now. Throws what the store throws. */
export async function readTables(
  options: Pick<TableCatalogueOptions, 'store' | 'onDamaged'>,
): Promise<Catalogue> {
  return readCatalogue(await scanRecords(options, ENTITY_ROWS_FROM, SYSTEM_ROWS_FROM));
}

/** Tells whether the catalogue of the region has, or ever had, a record: none is ever removed. */
export async function isCatalogueUsed(store: Pick<TableStore, 'query'>): Promise<boolean> {
  const rows = { rowsFrom: ENTITY_ROWS_FROM, rowsBefore: SYSTEM_ROWS_FROM };
  const page = await store.query({
    table: catalogKind.name,
    partitions: BUCKET,
    ...rows,
    limit: 1,
  });
  // A page may be empty and not be the last.
  return page.rows.length > 0 || page.continuation !== undefined;
}

/** Reads the records with row keys of a range, also those that are no longer alive or that nobody can read. */
async function scanRecords(
  { store, onDamaged }: Pick<TableCatalogueOptions, 'store' | 'onDamaged'>,
  rowsFrom: string,
  rowsBefore: string,
): Promise<readonly StoredRecord[]> {
  const range = { table: catalogKind.name, partitions: BUCKET, rowsFrom, rowsBefore };
  const records: StoredRecord[] = [];
  for await (const page of pagesOf((from) =>
    store.query({ ...range, limit: PAGE_ROWS, ...from }),
  )) {
    for (const row of page.rows) records.push(...readRecord(row, onDamaged));
  }
  return records;
}

function readRecord(
  row: TableRow,
  onDamaged: TableCatalogueOptions['onDamaged'],
): readonly StoredRecord[] {
  const judged = judgeRow(row, { kind: catalogKind, bucketCount: CATALOG_BUCKET_COUNT });
  if (judged.kind === 'row') {
    const { entityId, state } = judged.row;
    return [{ entityId, entity: isAlive(state) ? toEntity(catalogKind, state) : undefined }];
  }
  onDamaged?.(judged);
  return judged.isForeign ? [] : [{ entityId: decodeRowKey(row.rowKey), entity: undefined }];
}
