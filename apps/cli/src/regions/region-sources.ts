import type { DrillSwitch, RegionSources } from '@tandem/core';
import {
  createTableDrillSwitch,
  createTableProof,
  createTableReplicationStatus,
} from '@tandem/storage';
import type { WorkIo } from '../io.ts';
import type { CliRegion } from './cli-region.ts';
import { readDurationMs, readSettingText } from './region-setting.ts';

/** What the status of a region is read from. */
export async function createRegionSources(
  region: CliRegion,
  { io, peers }: { readonly io: WorkIo; readonly peers: readonly string[] },
): Promise<RegionSources> {
  const { store, recovery, hold } = region;
  const [lagMsMax, waitMsMax, heartbeatMsMax, driftMsMax] = await Promise.all([
    readDurationMs(region, 'Readiness.LagMsMax'),
    readDurationMs(region, 'Readiness.WaitMsMax'),
    readDurationMs(region, 'Readiness.HeartbeatMsMax'),
    readDurationMs(region, 'Clock.DriftMsMax'),
  ]);
  return {
    region: region.name,
    peers,
    entityKind: recovery.entityKind,
    outbox: recovery.outbox,
    status: createTableReplicationStatus({ store }),
    drill: drillSwitchOf(region),
    hold,
    conflicts: recovery.conflicts,
    settings: { lagMsMax, waitMsMax, heartbeatMsMax, driftMsMax },
    clock: io.clock,
    countMessages: await createCount(region, io),
    readProof: async () => (await createTableProof({ store }).read())?.asOfMs,
  };
}

export function drillSwitchOf({ store }: CliRegion): DrillSwitch {
  return createTableDrillSwitch({ store });
}

async function createCount(region: CliRegion, io: WorkIo): Promise<RegionSources['countMessages']> {
  const { serviceBus, serviceBusAdministration, queue } = region.entry;
  const connection = serviceBus ?? (await readSettingText(region, 'ServiceBusConnection'));
  const { countMessages } = io;
  if (connection === undefined || countMessages === undefined) return undefined;
  const name = queue ?? (await readSettingText(region, 'Customer.Queue')) ?? QUEUE_DEFAULT;
  const administration =
    serviceBusAdministration === undefined
      ? {}
      : { administrationConnection: serviceBusAdministration };
  return () =>
    region.busPatience.bound(() => countMessages({ connection, queue: name, ...administration }));
}

const QUEUE_DEFAULT = 'customer';
