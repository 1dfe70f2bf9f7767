import type { TableRow, TableStore } from '@tandem/core';
import { ARCHIVE_TABLE, CONFLICTS_TABLE } from '@tandem/storage';
import { HORIZON_PARTITION } from '@tandem/storage/testing';
import type { History } from '../clients/history.ts';
import type { Ledger } from '../observe/ledger.ts';
import { textOf } from '../observe/read-raw.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { Region, World } from '../world/world.ts';
import type { NemesisEvent } from './nemesis-kinds.ts';

/** Of what was answered, or is archived everywhere long since, nobody asks whether it was committed. */
const SETTLED_MS = 45_000;
const SYSTEM_ROWS = '~';
const PAGE_ROWS = 1_000;

/** What stores lost in this run, which no process has been told of. */
export interface Losses {
  /** Regions that only a rebuild makes whole. */
  readonly needsFilling: Set<string>;
  /** Regions whose journal lacks what no peer tells again: a repair brings it back, as a rebuild does. */
  readonly needsConflicts: Set<string>;
}

interface LossOptions {
  readonly world: World;
  readonly ledger: Ledger;
  readonly history: History;
}

/**
 * A store loses what it had acknowledged: rows of the entities, of the journal, or of the archive as well. One
 * region of a run does, since what two have lost nobody can bring back. The outbox stays: what is lost with it is
 * what `at-risk` names.
 */
export async function loseData(
  event: NemesisEvent,
  { world, ledger, history }: LossOptions,
): Promise<void> {
  const { draw, losses, scheduler } = world;
  const region = draw.pick('losses.region', world.regions);
  const { account, name } = region;
  const share = ['lose-all', 'lose-journal'].includes(event.kind) ? 1 : event.amount;
  const isLost = (key: string): boolean => share === 1 || draw.chance(`${event.id}.${key}`, share);
  if (event.kind !== 'lose-rows') await loseConflicts(region, isLost, world);
  if (event.kind === 'lose-journal') return;
  for (const { partitionKey, rowKey, properties } of await readAll(
    account.store,
    gadgetKind.name,
  )) {
    if (rowKey >= SYSTEM_ROWS || !isLost(rowKey)) continue;
    // Until its outbox row says that it is committed, or it is archived, it may be all that tells of a set.
    if (isLastToTell(ledger, name, textOf(properties, '_prepared'))) continue;
    await account.lose(gadgetKind.name, partitionKey, rowKey);
  }
  if (event.kind === 'lose-rows') return;
  losses.needsFilling.add(name);
  const settledMs = scheduler.nowMs() - SETTLED_MS;
  const peers = world.plan.regions.filter((peer) => peer !== name);
  const answered = new Set(
    world.plan.regions.flatMap((peer) =>
      history.acknowledgedIn(peer).map(({ stamp, entityId }) => `${stamp} ${entityId}`),
    ),
  );
  const isSettled = (rowKey: string): boolean => {
    const [stamp = ''] = rowKey.split('~');
    return (
      ledger
        .commitsUnder(stamp)
        .every(({ atMs, entityId }) => atMs < settledMs || answered.has(`${stamp} ${entityId}`)) &&
      peers.every((peer) => ledger.regionNamed(peer).archived.has(stamp))
    );
  };
  for (const { partitionKey, rowKey } of await readAll(account.store, ARCHIVE_TABLE)) {
    // How far back it goes is lost with the whole table only.
    if (partitionKey !== HORIZON_PARTITION && isSettled(rowKey) && isLost(rowKey))
      await account.lose(ARCHIVE_TABLE, partitionKey, rowKey);
  }
}

function isLastToTell(ledger: Ledger, region: string, stamp: string | undefined): boolean {
  if (stamp === undefined || ledger.regionNamed(region).archived.has(stamp)) return false;
  return ledger.preparedIn(region, stamp)?.untilMs === Number.POSITIVE_INFINITY;
}

async function loseConflicts(
  { name, account }: Region,
  isLost: (key: string) => boolean,
  world: World,
): Promise<void> {
  for (const { partitionKey, rowKey } of await readAll(account.store, CONFLICTS_TABLE)) {
    const isKept = await isElsewhere(world, name, { partitionKey, rowKey });
    if (!isKept || !isLost(rowKey)) continue;
    world.losses.needsConflicts.add(name);
    await account.lose(CONFLICTS_TABLE, partitionKey, rowKey);
  }
}

/** A conflict that a third region merged first may be in one journal alone. */
async function isElsewhere(
  { regions }: World,
  name: string,
  { partitionKey, rowKey }: Pick<TableRow, 'partitionKey' | 'rowKey'>,
): Promise<boolean> {
  for (const other of regions) {
    if (other.name === name) continue;
    const row = await other.account.store.get(CONFLICTS_TABLE, partitionKey, rowKey);
    if (row !== undefined) return true;
  }
  return false;
}

async function readAll(store: TableStore, table: string): Promise<readonly TableRow[]> {
  const range = { table, partitions: { from: '', before: '\uffff' }, limit: PAGE_ROWS };
  return (await store.query(range)).rows;
}
