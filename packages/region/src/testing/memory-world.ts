// Regions over stores, a bus and a clock that a test holds in its hands, with their duties in the same process.
import { defineEntityKind, edm } from '@tandem/core';
import {
  createMemoryBus,
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
  driveVirtualTime,
  type MemoryBus,
  type VirtualClock,
} from '@tandem/core/memory';
import { deviceKind } from '@tandem/storage/testing';
import { Type } from 'typebox';
import { createRegion } from '../open-region.ts';
import type { RegionOptions } from '../region-options.ts';
import { memoryBusOf } from './memory-bus.ts';
import { recordLog } from './record-log.ts';

export const orderKind = defineEntityKind({
  name: 'Orders',
  schema: Type.Object({ item: edm.string({ maxLength: 80 }), count: edm.int32() }),
  partitionOf: (id) => id.split('/')[0] ?? '',
});
const TABLES = { orders: orderKind, devices: deviceKind };
export type Tables = typeof TABLES;

const START_MS = Date.UTC(2026, 0, 1);
const namespaceOf = (region: string): string => `${region}.servicebus.example`;

export interface World {
  readonly clock: VirtualClock;
  readonly bus: MemoryBus;
}

export function createWorld(): World {
  const clock = createVirtualClock(START_MS);
  return { clock, bus: createMemoryBus({ clock, lockDurationMs: 60_000, deliveryCountMax: 3 }) };
}

export interface Given extends Partial<RegionOptions<Tables>> {
  readonly region: string;
  readonly peer: string;
}

export function regionOf({ clock, bus }: World, { region, peer, ...rest }: Given) {
  const log = recordLog(region);
  const made = createRegion({
    region,
    store: createMemoryTableStore(),
    tables: TABLES,
    replicate: true,
    bus: memoryBusOf(bus),
    settings: {
      ServiceBusConnection: namespaceOf(region),
      RedundancyServiceBusConnection: namespaceOf(peer),
      'Peer.Region': peer,
      'Messages.WireVersion': '5',
    },
    clock,
    randomness: createSeededRandomness(region.length + region.charCodeAt(0)),
    logger: log.logger,
    ...rest,
  });
  return { region: made, log };
}

export async function openTwo(world: World) {
  const east = regionOf(world, { region: 'east', peer: 'west' });
  const west = regionOf(world, { region: 'west', peer: 'east' });
  await drive(world, Promise.all([east.region.open(), west.region.open()]));
  return { east, west };
}

export const drive = <T>({ clock }: World, work: Promise<T>): Promise<T> =>
  driveVirtualTime(clock, work);
