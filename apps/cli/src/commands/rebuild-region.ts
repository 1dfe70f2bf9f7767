import {
  type FillOptions,
  type FillPhase,
  fillRegion,
  planFill,
  TerminalError,
} from '@tandem/core';
import { createTables } from '@tandem/region';
import {
  environmentNameOf,
  REPLICATION_TABLE,
  readRecordedRegions,
  rebuildRegion,
  recordBucketCount,
  recordRegions,
  seedConfiguration,
  tandemSettings,
} from '@tandem/storage';
import type { Cli, Outcome } from '../act.ts';
import { UsageError } from '../exit-codes.ts';
import type { Inventory, InventoryRegion } from '../inventory/inventory.ts';
import { type RecheckOptions, withRechecks } from '../option-values.ts';
import { KINDS, requireReplicated, withClientTable } from '../regions/choose-kind.ts';
import { requirePeersKnow } from '../regions/read-peer-names.ts';
import {
  type CliRegion,
  createSha256Digest,
  type Named,
  readSettingText,
  readTombstoneAgeMs,
} from '../regions/region.ts';
import { describeRebuild } from '../report/describe-recovery.ts';
import { countsOf, describeDamagedRow } from '../report/describe-verify.ts';
import { escapeValue } from '../report/escape-text.ts';
import type { Session } from '../session.ts';

interface RebuildOptions extends RecheckOptions {
  readonly apply: boolean;
  /** Regions that are out of reach, and taken for what they are. */
  readonly without?: readonly string[];
  /** One table of clients; all of the region by default. */
  readonly table?: string;
}

const PHASES: Readonly<Record<FillPhase, string>> = {
  archive: 'archive rows copied',
  rows: 'rows copied',
  replay: 'change sets replayed',
  conflicts: 'conflicts joined',
  'give-back': 'archive rows given back',
  prove: 'rows compared',
};

const HELP = `
The region is held first: it says that it is not ready until it is proven equal. Its own services may run
meanwhile, or be started at any time. Interrupted, it stays held and goes on with the same command. All others
must be within reach; where one of several is not, and will not be soon, say --without <region>: what only that
one has arrives from its outbox once it is back.
`;

export function addRebuildRegion({ program, act }: Cli): void {
  const make = (name: string, what: string): typeof program =>
    withRechecks(
      program
        .command(name)
        .argument('<region>')
        .description(what)
        .option('--without <regions...>', 'of several others, those that are out of reach')
        .option('--apply', 'does it', false),
    ).addHelpText('after', HELP);
  act<RebuildOptions>(
    withClientTable(
      make(
        'rebuild-region',
        'Fills an emptied or damaged region from the others, while they serve.',
      ),
      'only this table of clients, which the region has lost rows of',
    ),
    (session, options, [name = '']) => run(session, options, { name, isNew: false }),
  );
  act<RebuildOptions>(
    make('add-region', 'Fills a new region from the others, once they send to it.'),
    (session, options, [name = '']) => run(session, options, { name, isNew: true }),
  );
  act<{ readonly apply: boolean }>(
    program
      .command('release-region')
      .argument('<region>')
      .description('Lets a held region be ready although it was not proven equal.')
      .option('--apply', 'does it', false),
    (session, { apply }, [name = '']) => release(session, name, apply),
  );
}

interface Target {
  readonly name: string;
  readonly isNew: boolean;
}

async function run(
  session: Session,
  options: RebuildOptions,
  { name, isNew }: Target,
): Promise<Outcome> {
  if (options.table !== undefined && session.table === undefined) {
    throw new UsageError(
      `A region is filled whole, or one table of clients of it: ${options.table} is neither.`,
    );
  }
  requireReplicated(
    session,
    `What ${name} had of it is in its archive alone: tandem replay --from ${name} --in-place --of <table>.`,
  );
  const { regions } = await session.inventory();
  await session.entry(name);
  const without = options.without ?? [];
  for (const one of without) await session.entry(one);
  const others = regions
    .map((region) => region.name)
    .filter((other) => other !== name && !without.includes(other));
  if (others.length === 0) {
    throw new UsageError(
      `${name} is the only region that is left in the inventory: there is none to fill it from.`,
    );
  }
  const sources = await session.open(others);
  const bucketCount = sources[0]?.bucketCount ?? 0;
  const target = await session.openToFill(name, bucketCount);
  if (target.bucketCount !== bucketCount) {
    throw new TerminalError(
      'RECOVERY_REFUSED',
      `${name} records ${target.bucketCount} buckets, the others ${bucketCount}. Drop its tables and ` +
        'the setting Recorded.BucketCount to rebuild it with theirs.',
    );
  }
  if (isNew) await requirePeersKnow(name, { sources, clock: session.io.clock });
  if (!options.apply) return showPlan(session, target, sources);
  // The lease is a row of it. The sources take part: what only the target held is written there.
  await target.store.createTable(REPLICATION_TABLE);
  return session.alone([target, ...sources], () => fill(session, options, { target, sources }));
}

interface FillParts {
  readonly target: CliRegion;
  readonly sources: readonly CliRegion[];
}

async function fill(
  session: Session,
  { rechecks, recheckEvery }: RebuildOptions,
  { target, sources }: FillParts,
): Promise<Outcome> {
  const { io, kind, progress } = session;
  const startedMs = io.clock.nowMs();
  // Before the hold: what the inventory lacks must not leave the region held.
  const { table } = session;
  const values =
    table === undefined
      ? await planConfiguration({ target, sources, inventory: await session.inventory() })
      : {};
  const common: CommonFillOptions = {
    clock: io.clock,
    createDigest: createSha256Digest,
    recheckCountMax: rechecks,
    recheckDelayMs: recheckEvery,
    onProgress({ phase, done }) {
      io.signal.throwIfAborted();
      progress.update(PHASES[phase], done);
    },
    signal: io.signal,
  };
  const tombstoneAgeMs = (): Promise<number> => readTombstoneAgeMs([target, ...sources]);
  const report = await rebuildRegion({
    ...common,
    target,
    sources: sources.map(({ recovery }) => recovery),
    tombstoneAgeMs,
    ...(table === undefined ? {} : { only: table.name }),
    async prepare() {
      // A table of clients is rows of a kind that is there: whatever else the region has stays as it is.
      if (table !== undefined) return;
      const { store, bucketCount } = target;
      await createTables({ store, kinds: [kind] });
      await recordBucketCount(store, kind, bucketCount);
      // What it is given names former regions too, and it would refuse what the others send of them.
      for (const source of sources) {
        await recordRegions(store, [source.name, ...(await readRecordedRegions(source.store))]);
      }
      await seedConfiguration({ store, definitions: tandemSettings, values });
      // While it is held for its customers: it must not be let go without the others.
      for (const other of KINDS.filter(({ name }) => name !== kind.name)) {
        const names = { target: target.name, sources: sources.map(({ name }) => name) };
        await fillKind(session.of(other), names, {
          ...common,
          tombstoneAgeMs: await tombstoneAgeMs(),
        });
      }
    },
  });
  progress.end();
  return describeRebuild(target.name, report, io.clock.nowMs() - startedMs);
}

type CommonFillOptions = Omit<FillOptions, 'target' | 'sources' | 'tombstoneAgeMs'>;

/** Fills the table of one more kind, as far as other regions have it. Throws `RECOVERY_REFUSED` unless it is equal then. */
async function fillKind(
  session: Session,
  names: { readonly target: string; readonly sources: readonly string[] },
  options: Omit<FillOptions, 'target' | 'sources'>,
): Promise<void> {
  const { kind } = session;
  const opened = await Promise.all(names.sources.map((name) => session.openAsIs(name)));
  // A region of an older build has none of it.
  const sources = opened.filter(({ bucketCount }) => bucketCount > 0);
  const [first] = sources;
  if (first === undefined) return;
  const target = await session.openToFill(names.target, first.bucketCount);
  await createTables({ store: target.store, kinds: [kind] });
  await recordBucketCount(target.store, kind, first.bucketCount);
  const report = await fillRegion({
    ...options,
    target: target.recovery,
    sources: sources.map(({ recovery }) => recovery),
  });
  if (report.proof.isEqual) return;
  throw new TerminalError(
    'RECOVERY_REFUSED',
    `${kind.name} of ${names.target} is not equal to that of the others (${countsOf(report.proof)}). The region ` +
      `stays held. Look with tandem verify --table ${kind.name}, then run it again.`,
  );
}

async function showPlan(
  session: Session,
  target: CliRegion,
  sources: readonly CliRegion[],
): Promise<Outcome> {
  const { io, progress } = session;
  const { name } = target;
  const from = sources.map((source) => source.name);
  let read = 0;
  const { rows, different, damaged } = await planFill({
    target: target.recovery,
    sources: sources.map(({ recovery }) => recovery),
    clock: io.clock,
    createDigest: createSha256Digest,
    tombstoneAgeMs: await readTombstoneAgeMs([target, ...sources]),
    onRows(count) {
      io.signal.throwIfAborted();
      progress.update('rows compared', (read += count));
    },
  });
  const counts = [name, ...from].map((region) => `${region} ${rows.get(region) ?? 0}`).join(', ');
  return {
    text: [
      `Rows now: ${counts}; ${different} of them are not the same in all of these regions.`,
      ...damaged.map(describeDamagedRow),
      `Would hold ${name}, make what is missing of its tables and settings, and fill it from ` +
        `${from.join(', ')}; what only ${name} has goes there too. Nothing newer is overwritten, and it stays ` +
        'held until it is proven equal. Run it again with --apply.',
    ].join('\n'),
    json: {
      applied: false,
      region: name,
      from,
      rows: Object.fromEntries(rows),
      different,
      damaged,
    },
  };
}

async function release(session: Session, name: string, isApplied: boolean): Promise<Outcome> {
  const region = await session.openAsIs(name);
  const hold = await region.hold.read();
  if (hold === undefined) {
    return { text: `${name} is not held.`, json: { held: false, applied: false } };
  }
  if (isApplied) await region.hold.release(hold);
  const what = isApplied ? 'is released' : 'is held; --apply releases it';
  return {
    text: escapeValue(`${name} ${what}: ${hold.reason}`),
    json: { held: !isApplied, applied: isApplied, reason: hold.reason, sinceMs: hold.sinceMs },
  };
}

export interface PlanConfigurationOptions {
  readonly target: CliRegion;
  readonly sources: readonly CliRegion[];
  readonly inventory: Inventory;
}

/** These are the region's own; all others are as its peers have them. */
const CONNECTING: ReadonlySet<string> = new Set([
  'ServiceBusConnection',
  'RedundancyServiceBusConnection',
  'Peer.Region',
  'Peers',
]);

/**
 * Plans the settings of a region that has none: those that connect it from the inventory, the others as a
 * peer has them. Throws `UsageError` where the inventory says too little.
 */
export async function planConfiguration(
  options: PlanConfigurationOptions,
): Promise<Partial<Record<Named, string>>> {
  const { target, sources, inventory } = options;
  const values: Partial<Record<Named, string>> = {};
  const [source] = sources;
  for (const setting of Object.keys(tandemSettings) as Named[]) {
    if (CONNECTING.has(setting) || source === undefined) continue;
    const text = await readSettingText(source, setting);
    if (text !== undefined) values[setting] = text;
  }
  if ((await readSettingText(target, 'ServiceBusConnection')) === undefined) {
    Object.assign(values, connecting(target.entry, inventory));
  }
  return values;
}

function connecting(own: InventoryRegion, { regions }: Inventory): Record<string, string> {
  const peers = regions.filter(({ name }) => name !== own.name);
  const ServiceBusConnection = connectionOf(own);
  const [first] = peers;
  if (first !== undefined && peers.length === 1) {
    return {
      ServiceBusConnection,
      'Peer.Region': first.name,
      RedundancyServiceBusConnection: connectionOf(first),
    };
  }
  const listed = peers.map((peer) => ({
    region: peer.name,
    connection: connectionOf(peer),
    ...(peer.queue === undefined ? {} : { queue: peer.queue }),
  }));
  return { ServiceBusConnection, Peers: JSON.stringify(listed) };
}

function connectionOf({ name, serviceBus }: InventoryRegion): string {
  if (serviceBus !== undefined) return serviceBus;
  throw new UsageError(
    `The inventory names no serviceBus for ${name}, and the settings of the new region need it. Add it, ` +
      `or set ${environmentNameOf('ServiceBusConnection')} and the peers in its Configuration first.`,
  );
}
