import { AppError, RECOVERY_LEASE_MS } from '@tandem/core';
import {
  ARCHIVE_TABLE,
  CONFLICTS_TABLE,
  REPLICATION_TABLE,
  readRecordedBucketCount,
} from '@tandem/storage';
import type { Cli, Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import { KINDS } from '../regions/choose-kind.ts';
import { findDamage } from '../regions/find-damage.ts';
import { findSettingProblems } from '../regions/find-setting-problems.ts';
import { isReady, lookAtRegions } from '../regions/look-at-regions.ts';
import {
  type CliRegion,
  readDurationMs,
  readLane,
  requireQueue,
  withQueue,
} from '../regions/region.ts';
import { describeStatus, toStatusJson } from '../report/describe-status.ts';
import { textTable } from '../report/text-table.ts';
import type { Session } from '../session.ts';

/** Something that is not as it should be, and what mends it. */
interface Finding {
  readonly region: string;
  readonly check: string;
  readonly finding: string;
  readonly remedy: string;
}

type Check = (session: Session, region: CliRegion) => Promise<readonly Omit<Finding, 'region'>[]>;

const CLOCK_OFFSET_MS_MAX = 5_000;

export function addStatus({ program, act }: Cli): void {
  const command = program
    .command('status')
    .description(
      'How every region is, from its own tables, queue and API: ready or why not, lag, what it owes, what ' +
        'waits, dead letters, conflicts, clock, when all were last proven equal, how far back its archive goes.',
    );
  act(command, async (session): Promise<Outcome> => {
    const sights = await lookAtRegions(session);
    const isFine = sights.every(isReady);
    return {
      text: describeStatus(sights),
      json: { regions: sights.map(toStatusJson) },
      exitCode: isFine ? EXIT.ok : EXIT.finding,
    };
  });
}

export function addDoctor({ program, act }: Cli): void {
  const command = program
    .command('doctor')
    .description(
      'Looks at settings, tables, rights, clocks and queues of every region, and tells the remedy for ' +
        'each finding. Writes one lease row in each region and takes it away again.',
    );
  act(command, examine);
}

async function examine(session: Session): Promise<Outcome> {
  const { regions } = await session.inventory();
  // Side by side: one that hangs is waited for once, and the others are examined meanwhile.
  const examined = await Promise.all(regions.map(({ name }) => examineRegion(session, name)));
  const findings = examined.flatMap((one) => one.findings);
  const opened = examined.flatMap(({ region }) => region ?? []);
  findings.push(...compare(opened), ...(await compareTombstoneAges(opened)));
  const rows = findings.map((one) => [one.region, one.check, one.finding.split('\n'), one.remedy]);
  return {
    text:
      findings.length === 0
        ? `Nothing found in ${regions.map(({ name }) => name).join(', ')}.`
        : textTable(['region', 'check', 'finding', 'remedy'], rows),
    json: { findings },
    exitCode: findings.length === 0 ? EXIT.ok : EXIT.finding,
  };
}

interface Examined {
  /** Undefined when it could not be opened. */
  readonly region: CliRegion | undefined;
  readonly findings: readonly Finding[];
}

async function examineRegion(session: Session, name: string): Promise<Examined> {
  const findings: Finding[] = [];
  const add = (one: Omit<Finding, 'region'>): void => void findings.push({ region: name, ...one });
  let region: CliRegion;
  try {
    region = await session.openAsIs(name);
  } catch (error) {
    add(failure('storage', error));
    return { region: undefined, findings };
  }
  for (const [check, look] of Object.entries(CHECKS)) {
    try {
      (await look(session, region)).forEach(add);
    } catch (error) {
      add(failure(check, error));
    }
  }
  return { region, findings };
}

const CHECKS: Readonly<Record<string, Check>> = {
  settings: async ({ io, kind }, region) => {
    const { problems } = await findSettingProblems(region, { kind, clock: io.clock });
    const remedy = 'tandem config set, or the environment of the services';
    return problems.map((finding) => ({ check: 'settings', finding, remedy }));
  },
  tables: async ({ kind }, { store, bucketCount }) => {
    const kinds = [kind.name];
    for (const other of KINDS) {
      if (other.name === kind.name) continue;
      // A region of an older build has none of it.
      if ((await readRecordedBucketCount(store, other)) !== undefined) kinds.push(other.name);
    }
    for (const table of [...kinds, ARCHIVE_TABLE, CONFLICTS_TABLE, REPLICATION_TABLE]) {
      await store.query({ table, partitions: '00', limit: 1 });
    }
    const remedy = 'start its services, or tandem rebuild-region';
    const finding = 'no bucket count is recorded';
    return bucketCount > 0 ? [] : [{ check: 'tables', finding, remedy }];
  },
  rights: async (_, { lease }) => {
    // Whoever may not write says so by an error; that someone else recovers is no finding. Asked for
    // as recoveries ask: a shorter lease would take a longer one for that of a wrong clock.
    if (await lease.acquire(RECOVERY_LEASE_MS)) await lease.release();
    return [];
  },
  hold: async (_, { hold, name }) => {
    const held = await hold.read();
    if (held === undefined) return [];
    return [{ check: 'hold', finding: held.reason, remedy: `tandem rebuild-region ${name}` }];
  },
  clock: async ({ io }, { status }) => {
    const progress = await status.read();
    const aheadMs = (progress?.heartbeatMs ?? 0) - io.clock.nowMs();
    if (aheadMs <= CLOCK_OFFSET_MS_MAX) return [];
    const finding = `its replicator's clock is ${Math.round(aheadMs / 1_000)} s ahead of this one`;
    return [{ check: 'clock', finding, remedy: 'set the clocks by NTP' }];
  },
  damage: findDamage,
  queue: async ({ io }, region) =>
    withQueue(region, io, async (queue) => {
      await queue.peek('messages', 0n, 1);
      const letters = await readLane(queue, 'dead-letters');
      if (letters.length === 0) return [];
      const remedy = `tandem dead-letters list --region ${region.name}`;
      return [{ check: 'queue', finding: `${letters.length} dead letters`, remedy }];
    }),
  'queue properties': async ({ io }, region) => {
    const queue = await requireQueue(region);
    const differences = await region.busPatience.bound(() => io.inspectQueue(queue));
    if (differences === undefined) {
      const remedy = 'start the replicator: it makes its queue';
      return [{ check: 'queue properties', finding: 'there is no queue', remedy }];
    }
    return differences.map(({ property, expected, actual }) => ({
      check: 'queue properties',
      finding: `${property} is ${actual}`,
      remedy: `set it to ${expected}`,
    }));
  },
};

function compare(regions: readonly CliRegion[]): Finding[] {
  const counts = new Set(regions.map(({ bucketCount }) => bucketCount));
  if (counts.size <= 1) return [];
  const finding = regions.map(({ name, bucketCount }) => `${name} ${bucketCount}`).join(', ');
  const remedy = 'rebuild one with the other count: they cannot be compared';
  return [{ region: 'all', check: 'bucket counts', finding, remedy }];
}

async function compareTombstoneAges(regions: readonly CliRegion[]): Promise<Finding[]> {
  const read = await Promise.allSettled(
    regions.map(async (region) => ({
      name: region.name,
      // As it counts, not as it is written: one that is set to its default is not another.
      age: await readDurationMs(region, 'Tombstone.AgeMs'),
    })),
  );
  // Why one did not tell is among its own findings.
  const ages = read.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  if (new Set(ages.map(({ age }) => age)).size <= 1) return [];
  const finding = ages.map(({ name, age }) => `${name} ${age} ms`).join(', ');
  const remedy = 'set Tombstone.AgeMs alike';
  return [{ region: 'all', check: 'tombstone ages', finding, remedy }];
}

function failure(check: string, error: unknown): Omit<Finding, 'region'> {
  if (!(error instanceof AppError)) throw error;
  return { check, finding: `${error.code}: ${error.message}`, remedy: REMEDIES[error.code] ?? '' };
}

const REMEDIES: Partial<Record<AppError['code'], string>> = {
  TABLE_UNAVAILABLE: 'see whether the account is up and its address right',
  TABLE_FORBIDDEN: 'give this identity the role Storage Table Data Contributor',
  TABLE_MISSING: 'tandem rebuild-region, or start its services',
  BUS_UNAVAILABLE: 'see whether the namespace is up and its address right',
  BUS_FORBIDDEN: 'give this identity the role Azure Service Bus Data Owner',
  BUS_ENTITY_MISSING: 'start the replicator: it makes its queue',
};
