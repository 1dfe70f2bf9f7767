/**
 * How a table moves to a space of another number of buckets while it is in use: docs/adr/0044 tells why so.
 *
 *     begin ──► every region has heard, and its caches have ended: all read both spaces ──► turn ──► every region has heard, and
 *     writes to the new space ──► what was written to the old one is everywhere ──► turned ──► the old rows and their archive are
 *     brought over in each region ──► settle: the new space alone is read
 *
 * The table is served all along, and each step waits for all regions; whoever is cut off goes on with the same command.
 */
import {
  assert,
  type BroughtOver,
  believedPeers,
  bringOver,
  catalogKind,
  currentTable,
  decideMove,
  describeMove,
  isLeaving,
  isMoving,
  type MoveStep,
  otherRowsKind,
  readable,
  rowsIdOf,
  spacesOf,
  stampTimeMs,
  type TableGeneration,
  type TableMove,
  TransientError,
  UNREADABLE,
} from '@tandem/core';
import { HOLD_MS } from '@tandem/region';
import {
  CLOCKS_MS_MAX,
  createMoveRecord,
  readTables,
  TABLE_TRUST_MS,
  type TableCatalogue,
} from '@tandem/storage';
import type { Command } from 'commander';
import type { Cli, Outcome } from '../act.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { durationText } from '../option-values.ts';
import type { ClientTable } from '../regions/choose-kind.ts';
import { findTable } from '../regions/open-writer.ts';
import { type CliRegion, readDurationMs } from '../regions/region.ts';
import { requireConfirmation } from '../regions/require-confirmation.ts';
import { escapeValue } from '../report/escape-text.ts';
import type { Session } from '../session.ts';

interface MoveOptions {
  readonly region: string;
  readonly apply: boolean;
  readonly confirm?: string;
  readonly back: boolean;
}

const HELP = `
Set Rows2.BucketCount in every region first, the same in all, and start their processes anew. The table is served all along, under the
ETags that clients hold; a read and a write cost twice until it is settled, and writes wait once, for some ${Math.ceil(HOLD_MS / 1_000)} seconds, in each region.
Every region has to be there. Interrupted, the same command goes on. Back: --back, as long as it is joining; later there is none.
`;

/** Adds the command to `tandem tables`. */
export function addMove({ act }: Pick<Cli, 'act'>, group: Command): void {
  act<MoveOptions>(
    group
      .command('move')
      .description('moves a table to the space of Rows2.BucketCount buckets while it is in use')
      .argument('<table>')
      .requiredOption('--region <region>', 'in whose catalogue each step is taken; always the same')
      .option('--back', 'leaves a table where it is that is joining', false)
      .option('--apply', 'does it; only says what it would do without', false)
      .option('--confirm <region>', 'that region; asked for on a terminal')
      .addHelpText('after', HELP),
    moveTable,
    () => catalogKind.name,
  );
}

/** By so much later than it heard, on whatever clock, a region may acknowledge a write by what it remembers. */
const KNOWN_MS = TABLE_TRUST_MS + CLOCKS_MS_MAX;
/** How long a region that is behind is waited for; the table is served meanwhile. */
const BEHIND_MS_MAX = 600_000;
const LOOK_EVERY_MS = 500;
const OUTBOX_PAGE = 100;
/** Whoever asks how far it is sees what was so that long ago at most. */
const KEEP_EVERY_MS = 1_000;

interface Moving {
  readonly session: Session;
  readonly catalogue: TableCatalogue;
  readonly table: TableGeneration;
  readonly regions: readonly MovingRegion[];
}

interface MovingRegion {
  /** As its catalogue is. */
  readonly own: CliRegion;
  readonly from: CliRegion;
  readonly to: CliRegion;
}

async function moveTable(
  session: Session,
  { region, apply, confirm, back }: MoveOptions,
  [name = '']: readonly string[],
): Promise<Outcome> {
  const { catalogue, table } = await findTable(session, region, name);
  const { move } = table;
  if (back) return leaveThere({ session, catalogue }, table, apply);
  if (move?.state === 'settled') return tell(table, `${table.name} lies in ${move.to}.`);
  const planned = decideMove(table, { kind: 'begin', home: region }, session.io.clock.nowMs());
  assert(planned !== undefined, 'a table that begins to move has a move');
  const regions = await openRegions(session, { ...table, move: planned });
  const [first] = regions;
  const counts = `${first?.from.bucketCount} buckets to ${first?.to.bucketCount}`;
  if (!apply) {
    const names = regions.map(({ own }) => own.name).join(' and ');
    const text =
      `Would ${isMoving(move) ? `go on from ${move.state}, and ` : ''}move ${table.name} from ${counts} in ${names}, while it is in use: ` +
      `writes wait once for some ${durationText(HOLD_MS)}, reads and writes cost twice until it is done. Run it with --apply.`;
    return tell(table, text);
  }
  await requireConfirmation(session, {
    region,
    what: `move the table ${table.name} from ${counts}: once every region reads both there is no way back`,
    given: confirm,
  });
  return advance({ session, catalogue, table, regions }, region);
}

async function leaveThere(
  { session, catalogue }: Pick<Moving, 'session' | 'catalogue'>,
  table: TableGeneration,
  apply: boolean,
): Promise<Outcome> {
  const step = { kind: 'cancel', sinceMs: table.move?.sinceMs ?? 0 } as const;
  decideMove(table, step, session.io.clock.nowMs());
  if (!apply) return tell(table, `Would leave ${table.name} where it is. Run it with --apply.`);
  const move = await catalogue.stepMove(table.name, step, table.generation);
  return tell({ ...table, move }, `${table.name} stays where it is.`, true);
}

/** Opens both spaces of all regions. Throws `UsageError` for a region that lacks the one, or has heard of another table. */
async function openRegions(
  session: Session,
  table: TableGeneration,
): Promise<readonly MovingRegion[]> {
  const { own: write, other } = spacesOf(table);
  assert(other !== undefined, 'a table that moves has two spaces');
  const [from, to] = table.move?.state === 'joining' ? [write, other] : [other, write];
  const { name, policy } = table;
  const client: ClientTable = { name, policy, tableId: rowsIdOf(table) };
  const { regions } = await session.inventory();
  for (const one of regions) {
    const { bucketCount } = await session.of(otherRowsKind).openAsIs(one.name);
    if (bucketCount > 0) continue;
    throw new UsageError(
      `${one.name} has no space to move to: set Rows2.BucketCount in every region (tandem config set), the same in all, and ` +
        'start its processes anew, of a build that knows it.',
    );
  }
  const [old, next] = [session.of(from, client), session.of(to, client)];
  const [all, olds, nexts] = [
    await session.of(catalogKind).open(),
    await old.open(),
    await next.open(),
  ];
  return all.map((own, index) => {
    const [one, another] = [olds[index], nexts[index]];
    assert(one !== undefined && another !== undefined, 'all regions are opened in one order');
    return { own, from: one, to: another };
  });
}

/** Takes every step that is left. */
async function advance(moving: Moving, home: string): Promise<Outcome> {
  const { session, table } = moving;
  const { clock, signal } = session.io;
  let move = await take(moving, { kind: 'begin', home });
  if (move.state === 'joining') {
    await untilHeard(moving, move);
    // Whoever still goes by what it was reads the old space alone, and must not be shown less than was acknowledged.
    await clock.sleep(KNOWN_MS, signal);
    move = await take(moving, { kind: 'turn', sinceMs: move.sinceMs });
    session.tell(`Every region reads both spaces; ${table.name} turns to the new one.`);
  }
  if (move.state === 'turning') {
    const heardMs = await untilHeard(moving, move);
    const skewMs = await readDurationMs(regionOf(moving, home), 'Receipt.SkewMsMax');
    const beforeMs = heardMs + Math.max(KNOWN_MS, TABLE_TRUST_MS + skewMs);
    await untilAll(moving, {
      left: (one) => isLate(moving, one, beforeMs),
      endMs: clock.nowMs() + BEHIND_MS_MAX,
      what: 'have writes of others, or of their own, still to come or to archive',
    });
    move = await take(moving, { kind: 'turned', sinceMs: move.sinceMs });
    session.tell(
      `Nothing comes to the old space of ${table.name} any more; its rows are brought over.`,
    );
  }
  const brought =
    move.state === 'moved' ? await bringAll(moving, move) : new Map<string, BroughtOver>();
  const damaged = [...brought].flatMap(([region, { damaged: rows }]) =>
    rows.map(
      ({ partitionKey, rowKey, problem }) => `${region} ${partitionKey}/${rowKey}: ${problem}`,
    ),
  );
  if (damaged.length > 0) {
    return {
      ...tell(
        { ...table, move },
        `${damaged.length} rows of the old space cannot be read, such as ${damaged[0]}`,
        true,
      ),
      exitCode: EXIT.finding,
    };
  }
  move = await take(moving, { kind: 'settle', sinceMs: move.sinceMs });
  const rows = Object.fromEntries([...brought].map(([region, one]) => [region, one.rows]));
  const told = tell({ ...table, move }, `Moved ${table.name}: it lies in ${move.to} alone.`, true);
  return { ...told, json: { ...told.json, rows } };
}

async function take(
  { catalogue, table }: Pick<Moving, 'catalogue' | 'table'>,
  step: MoveStep,
): Promise<TableMove> {
  const move = await catalogue.stepMove(table.name, step, table.generation);
  assert(move !== undefined, 'only a way back ends a move');
  return move;
}

function regionOf({ regions }: Moving, name: string): CliRegion {
  const found = regions.find(({ own }) => own.name === name);
  if (found === undefined) throw new UsageError(`There is no region ${name} in the inventory.`);
  return found.own;
}

/**
 * Resolves with when every region was seen to have heard of the state. Throws `UsageError` as soon as one tells that the move cannot go
 * on: then there is nothing to hear of.
 */
async function untilHeard(moving: Moving, move: TableMove): Promise<number> {
  const { session, table } = moving;
  const { clock } = session.io;
  await untilAll(moving, {
    left: async ({ own }) => {
      const generations = (await readTables(own)).get(table.key) ?? [];
      const ended = whatEnded(generations, { table, move, region: own.name });
      if (ended !== undefined) throw new UsageError(escapeValue(ended));
      return !isOfMove(currentTable(generations)?.move, move);
    },
    endMs: clock.nowMs() + BEHIND_MS_MAX,
    what: `have not heard that the table is ${move.state}`,
  });
  return clock.nowMs();
}

function isOfMove(known: TableMove | undefined, { state, home, sinceMs }: TableMove): boolean {
  return known?.state === state && known.home === home && known.sinceMs === sinceMs;
}

/** Says why a move does not go on, as a region has the table; undefined where nothing there ends it. */
function whatEnded(
  generations: readonly TableGeneration[],
  {
    table: { name, generation },
    move,
    region,
  }: { readonly table: TableGeneration; readonly move: TableMove; readonly region: string },
): string | undefined {
  const now = currentTable(generations);
  if (now?.generation !== generation) {
    const own = generations.find((one) => one.generation === generation);
    // It has not come yet.
    if (own?.deletedMs === undefined) return undefined;
    const when = Number.isFinite(own.deletedMs) ? ` ${new Date(own.deletedMs).toISOString()}` : '';
    return `Table ${name} was deleted in ${region}${when}, and is moved no further. Once it is restored, repeat the command.`;
  }
  const { mirror } = now;
  if (mirror !== undefined) {
    // It was begun before that region heard of the move; none is begun since, so once all have heard there is none.
    const kept = readable(mirror);
    const end = `tandem tables mirror ${name} --region ${kept?.home ?? region} --end --apply`;
    const since = kept === undefined ? '' : ` since ${new Date(kept.sinceMs).toISOString()}`;
    return (
      `Table ${name} is mirrored from ${kept?.home ?? region}${since}, and cannot turn to its new space: end that (${end}) and repeat ` +
      `the command, or leave the table where it is (tandem tables move ${name} --region ${move.home} --back --apply).`
    );
  }
  // Its steps are taken there: what it says is so, and nobody is waited for to hear of it.
  if (region !== move.home || now.source === UNREADABLE || isOfMove(now.move, move))
    return undefined;
  if (isLeaving(now.source)) {
    const { state, home, sinceMs } = now.source;
    const back = `tandem tables return ${name} --region ${home} --back --apply`;
    return `Table ${name} is ${state} since ${new Date(sinceMs).toISOString()}, and does not move. Let it stay (${back}) and begin anew.`;
  }
  if (!isMoving(now.move)) return `The move of ${name} was taken back meanwhile. Begin anew.`;
  return `This move of ${name} is under way no more: ${describeMove(name, now.move)}`;
}

/**
 * Tells whether a region may still be given to the old space, or have to archive, what was acknowledged before. That all of
 * the others is applied it says itself, to its peers: never while a letter of theirs lies dead.
 */
async function isLate(
  { session, regions }: Moving,
  { own, from }: MovingRegion,
  beforeMs: number,
): Promise<boolean> {
  const nowMs = session.io.clock.nowMs();
  const driftMsMax = await readDurationMs(own, 'Clock.DriftMsMax');
  let appliedMs = regions.length === 1 ? nowMs : 0;
  for (const { own: other } of regions) {
    if (other.name === own.name) continue;
    const peers = believedPeers(await other.status.read(), { nowMs, driftMsMax });
    appliedMs = Math.max(appliedMs, peers.find(({ peer }) => peer === own.name)?.allAppliedMs ?? 0);
  }
  if (appliedMs <= beforeMs) return true;
  const { outbox } = from.recovery;
  for (const bucket of outbox.buckets) {
    let continuation: string | undefined;
    do {
      const page = await outbox.scan({
        bucket,
        limit: OUTBOX_PAGE,
        ...(continuation === undefined ? {} : { continuation }),
      });
      if (page.unreadable.length > 0) return true;
      if (page.entries.some(({ set }) => stampTimeMs(set.stamp) <= beforeMs)) return true;
      ({ continuation } = page);
    } while (continuation !== undefined);
  }
  return false;
}

interface Waiting {
  readonly left: (region: MovingRegion) => Promise<boolean>;
  readonly endMs: number;
  readonly what: string;
}

async function untilAll(
  { session, regions }: Moving,
  { left, endMs, what }: Waiting,
): Promise<void> {
  const { clock, signal } = session.io;
  for (;;) {
    signal.throwIfAborted();
    const names: string[] = [];
    for (const one of regions) {
      for (const region of [one.own, one.from]) region.beginRound();
      if (await left(one)) names.push(one.own.name);
    }
    if (names.length === 0) return;
    if (clock.nowMs() > endMs) {
      throw new TransientError(
        'TABLE_UNAVAILABLE',
        `${names.join(' and ')} ${what}. The table is served as it is; see tandem status, and repeat the command.`,
      );
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

async function bringAll(
  { session, table, regions }: Moving,
  { sinceMs }: TableMove,
): Promise<Map<string, BroughtOver>> {
  const { clock, signal } = session.io;
  const tableId = rowsIdOf(table);
  const brought = new Map<string, BroughtOver>();
  const own = regions.map((one) => one.own);
  await session.alone(own, async () => {
    for (const { own: region, from, to } of regions) {
      let done = 0;
      const record = createMoveRecord({ store: region.store, tableId });
      const startedMs = clock.nowMs();
      let keptMs = 0;
      for (const one of [from, to]) one.beginRound();
      brought.set(
        region.name,
        await bringOver({
          from: from.recovery,
          to: to.recovery,
          tableId,
          signal,
          async onProgress({ rows, archived, partsDone, parts }) {
            for (const one of [from, to]) one.beginRound();
            session.progress.update('rows', (done = rows + archived));
            const updatedMs = clock.nowMs();
            if (updatedMs - keptMs < KEEP_EVERY_MS && partsDone < parts) return;
            keptMs = updatedMs;
            await record.put({ sinceMs, startedMs, updatedMs, rows, archived, partsDone, parts });
          },
        }),
      );
      session.tell(`${region.name}: ${done} rows and change sets were brought over.`);
    }
  });
  return brought;
}

function tell({ name, move }: TableGeneration, text: string, applied = false): Outcome {
  return { text: escapeValue(text), json: { applied, table: name, move: move ?? null } };
}
