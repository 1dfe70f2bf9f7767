import { joinNotices, type Notice, type NoticeKind } from '@tandem/core';
import { createDamagedRows, type DamagedRows } from '@tandem/storage';
import type { Session } from '../session.ts';
import { readPeerNames } from './read-peer-names.ts';
import type { CliRegion } from './region.ts';

export interface Damage {
  readonly check: string;
  readonly finding: string;
  readonly remedy: string;
}

/** Listed one by one; `tandem damaged-rows list` has all of them. */
const ROWS_MAX = 10;

/** Finds what the replicators of a region have noticed, and what lies in its tables that nobody reads. */
export async function findDamage(session: Session, region: CliRegion): Promise<readonly Damage[]> {
  const progress = await region.status.read();
  // By the clock that wrote them, where that one is ahead: it may be what they are about.
  const nowMs = Math.max(session.io.clock.nowMs(), progress?.heartbeatMs ?? 0);
  const noticed = joinNotices([progress?.notices ?? []], nowMs);
  const rows: Damage[] = [];
  const seen = new Set<string>();
  let count = 0;
  if (region.bucketCount > 0) {
    const damaged = await damagedRowsOf(session, region);
    for await (const { table, partitionKey, rowKey, state, problem } of damaged.scan('quick')) {
      const name = `${table}/${partitionKey}/${rowKey}`;
      seen.add(name);
      count += 1;
      if (count > ROWS_MAX) continue;
      const remedy = `tandem damaged-rows show ${name} --region ${region.name}`;
      rows.push({ check: 'rows', finding: `${state}: ${name}: ${problem}`, remedy });
    }
  }
  if (count > ROWS_MAX) {
    const finding = `${count - ROWS_MAX} more rows that nobody reads`;
    rows.push({
      check: 'rows',
      finding,
      remedy: `tandem damaged-rows list --region ${region.name}`,
    });
  }
  return [
    ...noticed.filter(({ subject }) => !seen.has(subject)).map((one) => describe(one, region.name)),
    ...rows,
  ];
}

function describe({ kind, subject, detail, count }: Notice, region: string): Damage {
  const finding = `${kind}: ${subject}: ${detail} (${count} times)`;
  return { check: 'notices', finding, remedy: REMEDIES[kind].replace('REGION', region) };
}

const REMEDIES: Readonly<Record<NoticeKind, string>> = {
  'claim-refused': 'set the clocks by NTP; see docs/runbooks/clocks.md',
  'clock-ahead': 'set the clock of the replicator by NTP; see docs/runbooks/clocks.md',
  'fragments-incomplete': 'tandem dead-letters list --region REGION; see docs/runbooks/damage.md',
  'message-isolated': 'tandem messages list --region REGION; see docs/runbooks/damage.md',
  'outbox-row-damaged': 'tandem damaged-rows list --region REGION; see docs/runbooks/damage.md',
  'outbox-row-aside': 'tandem damaged-rows list --region REGION; see docs/runbooks/damage.md',
  'outbox-row-stuck':
    'tandem damaged-rows set-aside … --region REGION; see docs/runbooks/damage.md',
  'row-foreign': 'tandem damaged-rows list --region REGION; see docs/runbooks/damage.md',
};

/** Opens the rows of a region that nobody can read. */
export async function damagedRowsOf(session: Session, region: CliRegion): Promise<DamagedRows> {
  const { store, bucketCount } = region;
  const peers = await readPeerNames(region, session.io.clock);
  return createDamagedRows({ store, kind: session.kind, bucketCount, peers });
}
