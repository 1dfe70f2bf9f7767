import { isDeepStrictEqual } from 'node:util';
import { ARCHIVE_TABLE } from '@tandem/storage';
import { wasDamaged } from '../faults/damage-rows.ts';
import type { Ledger } from '../observe/ledger.ts';
import { isRawAlive, joinStates, type RawState, timeMsOf } from '../observe/raw-state.ts';
import { readRawRow } from '../observe/read-raw.ts';
import type { Command } from '../operators/recovery-log.ts';
import { isClientsId } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

type ReplayTable = Extract<Command, { readonly kind: 'replay-table' }>;
type Span = ReplayTable['span'];

/**
 * I5, while all goes on: a table that a replay made holds, of each entity, at least what the archive had when the
 * replay began and did not lose meanwhile, and nothing but what was committed in the span that was asked for. What a restore makes of an
 * entity is what it was at that time.
 */
export function watchReplays(
  { world, ledger }: { readonly world: World; readonly ledger: Ledger },
  report: Report,
): void {
  const { recoveries } = world;
  /** Of each command: the change sets that the archive had when it began and has had all the time since. */
  const kept = new Map<string, { readonly region: string; readonly stamps: Set<string> }>();
  for (const { name, account } of world.regions) {
    account.onLost((table, rowKey) => {
      if (table !== ARCHIVE_TABLE) return;
      const [stamp = rowKey] = rowKey.split('~');
      for (const { region, stamps } of kept.values()) if (region === name) stamps.delete(stamp);
    });
  }
  const sourceOf = (command: Command): { region: string; span: Span } | undefined => {
    if (command.kind === 'replay-table') return { region: command.source, span: command.span };
    if (command.kind === 'replay-restore') return { region: command.region, span: command.span };
    return undefined;
  };
  const joined = (span: Span, isWanted: (stamp: string) => boolean): Map<string, RawState> => {
    const states = new Map<string, RawState>();
    for (const { stamp, entityId, state } of ledger.commits) {
      const atMs = timeMsOf(stamp);
      const { fromMs = 0, beforeMs = Number.POSITIVE_INFINITY } = span;
      if (atMs < fromMs || atMs >= beforeMs || !isWanted(stamp)) continue;
      if (span.entityId !== undefined && span.entityId !== entityId) continue;
      states.set(entityId, joinStates(states.get(entityId), state));
    }
    return states;
  };
  const isLoose = (entityId: string): boolean =>
    recoveries.forgotten.has(entityId) ||
    world.plan.regions.some((name) => {
      const { lost, collected } = ledger.regionNamed(name);
      return lost.has(entityId) || collected.has(entityId);
    });

  /** Of an entity that was deleted long ago an archive keeps nothing, whether or not its tombstone is there still. */
  const isForgottenDeletion = (region: string, state: RawState | undefined): boolean =>
    state?.deleted !== undefined &&
    !isRawAlive(state) &&
    ledger.regionNamed(region).trimmed.has(state.deleted);

  /** The store answers at once, so that nothing happens between. */
  const judgeTable = async ({ id, command, least, most }: MadeTable): Promise<void> => {
    const rows = await world.readRows(command.target, command.table);
    for (const { rowKey, properties } of rows) {
      const state = readRawRow(properties);
      if (state === undefined || isLoose(rowKey) || !isClientsId(rowKey)) continue;
      const { fromMs = 0 } = command.span;
      const wrong = outside(state, { least: least.get(rowKey), most: most.get(rowKey), fromMs });
      if (wrong !== undefined) report('replayed-wrong', `${id} made ${rowKey} with ${wrong}`);
    }
    const { bucket } = command.span;
    for (const entityId of least.keys()) {
      if (isLoose(entityId) || rows.some(({ rowKey }) => rowKey === entityId)) continue;
      if (bucket !== undefined && world.bucketOf(entityId) !== bucket) continue;
      if (isForgottenDeletion(command.source, least.get(entityId))) continue;
      report('replayed-wrong', `${id} left out ${entityId}`);
    }
  };

  recoveries.onBegun(({ id, command }) => {
    const source = sourceOf(command);
    if (source === undefined || wasDamaged(world, source.region, ARCHIVE_TABLE)) return;
    const { archived } = ledger.regionNamed(source.region);
    kept.set(id, { region: source.region, stamps: new Set(archived) });
  });
  recoveries.onDone(({ id, command, plan }, done) => {
    const source = sourceOf(command);
    const stamps = kept.get(id)?.stamps;
    kept.delete(id);
    if (source === undefined || stamps === undefined) return;
    // What nobody can read is skipped, and put back later.
    if (wasDamaged(world, source.region, ARCHIVE_TABLE)) return;
    const least = joined(source.span, (stamp) => stamps.has(stamp));
    const most = joined(source.span, () => true);
    if (command.kind === 'replay-table' && done.kind === 'replayed') {
      judgeTable({ id, command, least, most }).catch((error: unknown) =>
        world.reportBug(undefined, error),
      );
    }
    if (plan?.kind !== 'replay-restore') return;
    for (const { entityId, state, difference } of plan.plan.changes) {
      if (isLoose(entityId) || !isClientsId(entityId)) continue;
      // What looks the same in both need not have looked so between: nothing of it, then made and deleted.
      if (!isDeepStrictEqual(least.get(entityId), most.get(entityId))) continue;
      const truth = visible(least.get(entityId));
      const isAlive = difference.regions['then']?.life === 'alive';
      const values = state === undefined || !isAlive ? 'deleted' : valuesOf(state.fields);
      if (values !== truth) {
        report('replayed-wrong', `${id} restores ${entityId} as ${values}, which was ${truth}`);
      }
    }
  });
}

interface MadeTable {
  readonly id: string;
  readonly command: ReplayTable;
  readonly least: ReadonlyMap<string, RawState>;
  readonly most: ReadonlyMap<string, RawState>;
}

interface Bounds {
  readonly least: RawState | undefined;
  readonly most: RawState | undefined;
  /** A row that stands for what was lost also holds what is older than the span. */
  readonly fromMs: number;
}

/** What of a state is older than the least or newer than the most that it may be, in words. */
function outside(state: RawState, { least, most, fromMs }: Bounds): string | undefined {
  if (most === undefined) return 'a row, although nothing was committed';
  const isLater = (stamp = '', newest = ''): boolean => stamp > newest && timeMsOf(stamp) >= fromMs;
  for (const [name, { stamp, value }] of state.fields) {
    const newest = most.fields.get(name);
    if (stamp < (least?.fields.get(name)?.stamp ?? '')) return `an old ${name}, by ${stamp}`;
    if (isLater(stamp, newest?.stamp ?? most.base)) return `a ${name} of later, by ${stamp}`;
    if (stamp === newest?.stamp && JSON.stringify(value) !== JSON.stringify(newest.value)) {
      return `another ${name}`;
    }
  }
  for (const [name, { stamp }] of least?.fields ?? []) {
    if (!state.fields.has(name) && stamp >= (state.base ?? '')) return `no ${name}`;
  }
  for (const [region, stamp] of least?.vector ?? []) {
    if (stamp > (state.vector.get(region) ?? '')) return `nothing of ${stamp}`;
  }
  for (const life of ['alive', 'deleted', 'base'] as const) {
    if ((least?.[life] ?? '') > (state[life] ?? '')) return `an older ${life}`;
    if (isLater(state[life], most[life])) return `a later ${life}`;
  }
  return undefined;
}

function visible(state: RawState | undefined): string {
  if (state === undefined || !isRawAlive(state)) return 'deleted';
  return [...state.fields]
    .filter(([, { value }]) => value !== null)
    .map(([name, { value }]) => `${name}=${String(value?.[1])}`)
    .sort()
    .join(' ');
}

type Values = ReadonlyMap<string, { readonly value: { readonly value: unknown } | null }>;

function valuesOf(fields: Values): string {
  return [...fields]
    .flatMap(([name, { value }]) => (value === null ? [] : `${name}=${textOf(value.value)}`))
    .sort()
    .join(' ');
}

function textOf(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value);
}
