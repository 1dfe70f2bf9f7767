import {
  LARGE_WIRE_VERSION,
  type LargeSetBounds,
  type MergePolicy,
  REQUEST_WIRE_VERSION,
} from '@tandem/core';
import type { Draw } from '../world/draw.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Entities; a group takes 99 changes. */
const CROWD = 130;
/** Entities, a few more than a transaction takes. */
const HUNDRED = 104;
const REGIONS = ['east', 'west', 'south'];
/** Nothing else has time to happen within the few milliseconds that they take otherwise. */
const SLOW_SITES = [
  'replicator.heartbeat.oldest',
  'replicator.apply.commit.entity',
  'replicator.apply.commit.conflict',
];

/** So that a table often changes its state while something of before is under way. */
const SLOW_ON_THE_MOVE = ['api.forward.commit.plain', 'replicator.mirror.commit.plain'];

/** What clients of tables do, and how what they delete goes. */
export interface TablesPlan {
  readonly clients: number;
  readonly operationsPerClient: number;
  /** Between two operations of a client, at most. */
  readonly thinkMsMax: number;
  /** By region, for how long what was deleted can be restored there; an operator may have it differ. */
  readonly keepMs: ReadonlyMap<string, number>;
  readonly keepMsMin: number;
  /** A restoration is written within this time. */
  readonly marginMs: number;
  readonly purgeIntervalMs: number;
  /** How long one of the tables says that its archive is kept; as the region has it where it is undefined. */
  readonly ordersKeepMs: number | undefined;
}

/** A plain table that stands beside one region, and moves under all of them and back while clients use it. */
export interface MigrationPlan {
  /** Forwards, copies and mirrors. */
  readonly home: string;
  readonly clients: number;
  readonly operationsPerClient: number;
  /** Between two operations of a client, at most. */
  readonly thinkMsMax: number;
  /** Who run the commands, at the same time. */
  readonly operators: number;
  /** How long a write that is forwarded takes to the old account, at most, beside what any call takes; as long again back. */
  readonly forwardMsMax: number;
  /** How many rows the accounts of plain tables give at once, at most. */
  readonly pageMax: number;
  /** From one turn of a copier to the next; a table lies over the old one for at least so long where that is long. */
  readonly copyMs: number;
  /** The lease that keeps copiers apart is only to spare work: here they do not ask for it. */
  readonly hasTwoCopiers: boolean;
  /** Where it is in the end. */
  readonly goal: 'done' | 'returned';
  /** Once it is done it moves on, to a space of another number of buckets. */
  readonly movesOn: boolean;
  readonly policy: MergePolicy;
}

/** Everything about a run that is chosen before it begins. */
export interface RunPlan {
  readonly regions: readonly string[];
  readonly startMs: number;
  readonly bucketCount: number;
  readonly apisPerRegion: number;
  readonly replicatorsPerRegion: number;
  /** Who recover beside it all. */
  readonly operators: number;
  /** A store may lose what it had acknowledged. */
  readonly hasLosses: boolean;
  /** Nothing else goes wrong for long, so that it shows what a freeze does to those beside it. */
  readonly hasOnlyFreezes: boolean;
  /** Calls that often take long. */
  readonly slowSites: ReadonlySet<string>;
  readonly clients: number;
  readonly operationsPerClient: number;
  readonly entityCount: number;
  /** What a client asks for at once when it is in a hurry; writes of a bucket then share transactions. */
  readonly burst: number;
  /** Some clients write every entity at once, more than one transaction takes. */
  readonly hasCrowd: boolean;
  /** Some transactions are of a hundred entities, which no outbox row fits beside. */
  readonly hasHundreds: boolean;
  /** Between two operations of a client, at most. */
  readonly thinkMsMax: number;
  /** Faults happen during this time from the start. */
  readonly faultsMs: number;
  /** A quiet time in the middle, in which tombstones grow old; 0 without. */
  readonly quietMs: number;
  readonly tombstoneAgeMs: number;
  readonly collectIntervalMs: number;
  /** How long archives are kept whole; undefined for ever. */
  readonly archiveKeepMs: number | undefined;
  readonly trimIntervalMs: number;
  readonly lockDurationMs: number;
  readonly sweepIntervalMs: number;
  readonly sweepGraceMs: number;
  readonly heartbeatIntervalMs: number;
  /** Clients make tables and write to rows of any properties; undefined without. */
  readonly tables: TablesPlan | undefined;
  readonly migration: MigrationPlan | undefined;
  readonly driftMsMax: number;
  readonly relayLengthMax: number;
  /** 1: each change set travels alone; 4: transactions of several entities, too; 5: of a hundred; 7: requests are known again; 8: sets are cut. */
  readonly wireVersion: number;
  /** Bounds so small that many sets are large, and cut; undefined where none is. */
  readonly largeSets: LargeSetBounds | undefined;
  /** With `row` clients write fields that nobody else need have, and each write owns the whole entity. */
  readonly policy: MergePolicy;
  /** After this time the regions are upgraded, one after the other. */
  readonly upgradeMs: number | undefined;
  /**
   * Clients go where Traffic Manager would send them, back to the first region as soon as it answers
   * at all, or anywhere.
   */
  readonly routing: 'priority' | 'too-early' | 'anywhere' | 'home';
}

const KEEP_STEP_MS = 6_000;
const TABLES_MARGIN_MS = 25_000;

function drawTables(draw: Draw, regions: readonly string[]): TablesPlan {
  const keepMsMin = draw.integer('plan.tables.keep', [3_000, 12_000]);
  return {
    clients: draw.integer('plan.tables.clients', [2, 4]),
    operationsPerClient: draw.integer('plan.tables.operations', [16, 36]),
    thinkMsMax: draw.pick('plan.tables.think', [300, 1_500, 4_000]),
    keepMs: new Map(regions.map((name, index) => [name, keepMsMin + index * KEEP_STEP_MS])),
    keepMsMin,
    marginMs: TABLES_MARGIN_MS,
    purgeIntervalMs: draw.integer('plan.tables.purge', [2_000, 7_000]),
    ordersKeepMs: draw.chance('plan.tables.own', 0.4)
      ? draw.integer('plan.tables.ordersKeep', [15_000, 80_000])
      : undefined,
  };
}

function drawMigration(draw: Draw, regions: readonly string[]): MigrationPlan {
  const goal = draw.pick('plan.migration.goal', ['done', 'returned'] as const);
  return {
    home: draw.pick('plan.migration.home', regions),
    clients: draw.integer('plan.migration.clients', [2, 4]),
    operationsPerClient: draw.integer('plan.migration.operations', [40, 90]),
    thinkMsMax: draw.pick('plan.migration.think', [1_000, 3_000, 5_000]),
    operators: draw.pick('plan.migration.operators', [1, 1, 2]),
    forwardMsMax: draw.pick('plan.migration.forward', [0, 0, 600, 3_000]),
    pageMax: draw.integer('plan.migration.page', [2, 6]),
    copyMs: draw.pick('plan.migration.copy', [1_500, 8_000, 40_000]),
    hasTwoCopiers: draw.chance('plan.migration.copiers', 0.5),
    goal,
    movesOn: goal === 'done' && draw.chance('plan.migration.moves', 0.5),
    policy: draw.pick('plan.migration.policy', ['row', 'field']),
  };
}

function drawLargeSets(draw: Draw): LargeSetBounds {
  return {
    plainBytesMax: draw.pick('plan.large.above', [300, 700, 1_400]),
    partBytes: draw.pick('plan.large.part', [90, 180, 450]),
  };
}

export function drawRunPlan(draw: Draw): RunPlan {
  const hasTombstones = draw.chance('plan.tombstones', 0.25);
  const int = (key: string, min: number, max: number): number =>
    draw.integer(`plan.${key}`, [min, max]);
  const operators = draw.pick('plan.operators', [0, 1, 1, 2]);
  const hasCrowd = draw.chance('plan.crowd', 0.03);
  const hasHundreds = !hasCrowd && draw.chance('plan.hundreds', 0.06);
  const burst = draw.pick('plan.burst', hasHundreds ? [1, 1, 2] : [1, 1, 4, 10]);
  // What moves has all else small, and time to arrive.
  const isMoving =
    operators === 0 &&
    !hasTombstones &&
    !hasCrowd &&
    !hasHundreds &&
    draw.chance('plan.moves', 0.5);
  const faultsMs = isMoving
    ? int('migration.faults', 60_000, 110_000)
    : int('faults', 30_000, 70_000);
  // A collected tombstone is only safe when it is older than every lag, so it outlives the faults.
  const ages = hasTombstones ? int('age', 210_000, 260_000) : 90 * DAY_MS;
  // Each of a hundred takes as long to simulate as many others.
  const operationsPerClient = isMoving ? 6 : hasHundreds ? 12 : int('operations', 14, 32);
  // Recovering goes on for as long as the faults, and clients are to write beside it.
  const thinkMsMax = draw.pick(
    'plan.think',
    operators > 0 ? [300, 1_500, 4_000, 4_000] : [300, 1_500, 4_000],
  );
  const busyMs = Math.min(faultsMs, (operationsPerClient * thinkMsMax) / 2);
  // All tombstones are collected before there are faults again, or the younger ones only then.
  const quietBeyondAge = draw.chance('plan.late', 0.5)
    ? int('quiet', 0, Math.round(busyMs * 0.7)) - faultsMs
    : 40_000;
  const regions = REGIONS.slice(0, draw.chance('plan.three', hasHundreds ? 0.2 : 0.55) ? 3 : 2);
  const hasOnlyFreezes = regions.length > 2 && draw.chance('plan.only-freezes', 0.2);
  // What a crowd writes would never all be applied.
  const hasSlowSites =
    !hasOnlyFreezes && !hasCrowd && !hasHundreds && draw.chance('plan.slow-sites', 0.1);
  const policy = draw.pick('plan.policy', ['field', 'field', 'row'] as const);
  // Where some region reads no base, the policy `row` is another, which nobody need be promised.
  const drawnWireVersion = hasHundreds
    ? 5
    : policy === 'row' || draw.chance('plan.whole', 0.4)
      ? draw.pick('plan.newest', [4, 5])
      : draw.pick('plan.wire', [1, 2, 3, 3]);
  // To an operator a fragment in a queue says nothing, so what he is told is not exact.
  const largeSets =
    operators === 0 && !isMoving && drawnWireVersion >= 4 && draw.chance('plan.large', 0.4)
      ? drawLargeSets(draw)
      : undefined;
  // Operators would work beside it on what the clients of tables do not see.
  const tables =
    operators === 0 &&
    !isMoving &&
    drawnWireVersion >= 4 &&
    !hasHundreds &&
    draw.chance('plan.tables', 0.85)
      ? drawTables(draw, regions)
      : undefined;
  const migration = isMoving ? drawMigration(draw, regions) : undefined;
  const isKnownAgain = isMoving || (tables !== undefined && draw.chance('plan.requests', 0.85));
  const readVersion = isKnownAgain ? REQUEST_WIRE_VERSION : drawnWireVersion;
  const wireVersion = largeSets === undefined ? readVersion : LARGE_WIRE_VERSION;
  const entitiesMax = burst > 4 ? 30 : hasTombstones ? 14 : 6;
  return {
    regions,
    // Some runs cross midnight, where archive partitions change.
    startMs: Date.UTC(2026, 0, 1) + int('start', 1, 4) * 6 * 60 * MINUTE_MS - int('to', 0, 90_000),
    bucketCount: hasCrowd || hasHundreds ? 1 : int('buckets', 1, 3),
    apisPerRegion: draw.chance('plan.apis', 0.4) ? 2 : 1,
    replicatorsPerRegion: draw.chance('plan.replicators', 0.5) ? 2 : 1,
    operators,
    hasLosses: operators > 0 && !hasTombstones && draw.chance('plan.losses', 0.45),
    hasOnlyFreezes,
    slowSites: new Set([
      ...(hasSlowSites ? SLOW_SITES : []),
      ...(isMoving && draw.chance('plan.migration.slow', 0.5) ? SLOW_ON_THE_MOVE : []),
    ]),
    clients: isMoving ? 1 : hasHundreds ? 2 : int('clients', 2, 5),
    operationsPerClient,
    entityCount: hasCrowd ? CROWD : hasHundreds ? HUNDRED : int('entities', 1, entitiesMax),
    burst,
    hasCrowd,
    hasHundreds,
    thinkMsMax,
    faultsMs,
    quietMs: hasTombstones ? ages + quietBeyondAge : 0,
    tombstoneAgeMs: ages,
    collectIntervalMs: hasTombstones ? 8_000 : 10 * MINUTE_MS,
    archiveKeepMs:
      !isMoving && draw.chance('plan.retention', 0.35) ? int('keep', 20_000, 60_000) : undefined,
    trimIntervalMs: int('trim', 3_000, 12_000),
    lockDurationMs: draw.pick('plan.lock', [15_000, 30_000, 60_000]),
    sweepIntervalMs: int('sweep', 700, 4_000),
    sweepGraceMs: draw.pick('plan.grace', [0, 500, 2_000, 5_000]),
    heartbeatIntervalMs: int('heartbeat', 800, 3_000),
    driftMsMax: 60_000,
    relayLengthMax: draw.pick('plan.relay', [3, 1_000]),
    wireVersion,
    largeSets,
    tables,
    migration,
    policy,
    // What waits for an upgrade is a dead letter, and nothing is purged then.
    upgradeMs:
      tables === undefined && migration === undefined && draw.chance('plan.upgrade', 0.2)
        ? int('upgradeAt', 1_000, 10_000)
        : undefined,
    routing: draw.pick('plan.routing', ['priority', 'too-early', 'anywhere', 'home']),
  };
}
