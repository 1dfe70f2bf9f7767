import {
  type ChangePublisher,
  type ChangeReceiver,
  type Clock,
  type InboundMessage,
  type Randomness,
  readableSetsIn,
  type TableStore,
} from '@tandem/core';
import { createSeededRandomness } from '@tandem/core/memory';
import { ARCHIVE_TABLE, CONFLICTS_TABLE } from '@tandem/storage';
import { wasDamaged } from '../faults/damage-rows.ts';
import { fragmentHeadIn } from '../observe/cut-sets.ts';
import { hashText } from '../world/draw.ts';
import { gadgetKind } from '../world/gadget-kind.ts';
import type { World } from '../world/world.ts';
import { createClockPort } from './clock-port.ts';
import type { Incarnation } from './incarnation.ts';
import { isUpgraded } from './next-build.ts';
import { createPublisherPort } from './publisher-port.ts';
import { createReceiverPort } from './receiver-port.ts';
import { createTablePort } from './table-port.ts';

/** The ports of one incarnation. Each part of the process has its own, so that calls tell whose they are. */
export interface ProcessContext {
  readonly world: World;
  readonly incarnation: Incarnation;
  readonly region: string;
  readonly peers: readonly string[];
  readonly randomness: Randomness;
  store(part: string): TableStore;
  clock(part: string): Clock;
  publisher(part: string, peer: string): ChangePublisher;
  receiver(): ChangeReceiver;
}

/** What is said to be unstorable where the store failed for nothing of it, or too old where nothing is that old. */
function noteUnfounded(
  world: World,
  region: string,
  { messageId, reason, body }: InboundMessage & { readonly reason: string },
): void {
  const { account } = world.regionNamed(region);
  if (reason === 'CHANGE_TOO_OLD' && world.plan.quietMs === 0) {
    world.unfounded.push(`${messageId} in ${region}: ${reason}`);
  }
  const isOfDamage = reason === 'ROW_MALFORMED' && wasDamaged(world, region, gadgetKind.name);
  // Whose it is no fragment says.
  if (fragmentHeadIn(body) !== undefined) return;
  if (isOfDamage || !['ENTITY_UNSTORABLE', 'ROW_MALFORMED'].includes(reason)) return;
  const { failures } = account;
  const isFounded =
    failures.hasFailed(CONFLICTS_TABLE) ||
    readableSetsIn(body).some(
      ({ stamp, changes }) =>
        failures.hasFailed(ARCHIVE_TABLE, stamp) ||
        changes.some(({ entityId }) => failures.hasFailed(gadgetKind.name, entityId)),
    );
  if (!isFounded) world.unfounded.push(`${messageId} in ${region}: ${reason}`);
}

export function createProcessContext(world: World, incarnation: Incarnation): ProcessContext {
  const { draw, scheduler, plan } = world;
  const { region } = incarnation.slot;
  const { account, namespace } = world.regionNamed(region);
  const seed = hashText(`${incarnation.slot.name}.${incarnation.writer}`, world.seed);
  return {
    world,
    incarnation,
    region,
    peers: plan.regions.filter((one) => one !== region),
    randomness: createSeededRandomness(seed),
    store: (part) => createTablePort({ incarnation, account, draw, part }),
    clock: (part) => createClockPort(incarnation, part),
    publisher: (part, peer) =>
      createPublisherPort({
        incarnation,
        namespace: world.regionNamed(peer).namespace,
        link: world.links.between(region, peer),
        draw,
        scheduler,
        part,
        sent: world.sentTo(peer),
        onAccepted: (stamp) => world.noteAccepted(peer, stamp),
        poison: world.poison,
        isUpgraded: () => isUpgraded(world, region),
      }),
    receiver: () =>
      createReceiverPort({
        incarnation,
        namespace,
        draw,
        scheduler,
        isUpgraded: () => isUpgraded(world, region),
        onDeadLettered: (message, reason) => noteUnfounded(world, region, { ...message, reason }),
      }),
  };
}
