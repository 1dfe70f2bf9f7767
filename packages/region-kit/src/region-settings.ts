import type { ReadinessSettings } from '@tandem/core';
import {
  type Peer,
  readPeers,
  type SettingValue,
  type TandemConfiguration,
  type tandemSettings,
} from '@tandem/storage';

const MIB = 1024 * 1024;

export type DataAccess = SettingValue<(typeof tandemSettings)['Customer.DataAccess']>;

/** What the processes of a region read of its Configuration once, when they start. */
export interface RegionSettings {
  readonly dataAccess: DataAccess;
  /** Of every entity kind. */
  readonly bucketCount: number;
  /** For the rows that a process remembers, of each entity kind. */
  readonly rowMemoryBytesMax: number;
  /** The queue of this region, and of each peer that names no other. */
  readonly queue: string;
  readonly peers: readonly Peer[];
  /** This region, its peers, and former ones by `Regions.Former`. */
  readonly regions: ReadonlySet<string>;
  readonly readiness: ReadinessSettings;
  readonly driftMsMax: number;
  readonly tombstoneAgeMs: number;
  readonly sweepGraceMs: number;
  /** The newest that every region reads. */
  readonly wireVersion: number;
}

/** Throws `CONFIGURATION_INVALID` when the peers are wrong. */
export function readRegionSettings(
  configuration: Pick<TandemConfiguration, 'get'>,
  region: string,
): RegionSettings {
  const peers = readPeers(configuration, region);
  const former = configuration.get('Regions.Former')?.split(',') ?? [];
  return {
    dataAccess: configuration.get('Customer.DataAccess'),
    bucketCount: configuration.get('Customer.BucketCount'),
    rowMemoryBytesMax: configuration.get('Rows.MemoryMib') * MIB,
    queue: configuration.get('Customer.Queue'),
    peers,
    regions: new Set([region, ...peers.map((peer) => peer.region), ...former]),
    readiness: {
      lagMsMax: configuration.get('Readiness.LagMsMax'),
      waitMsMax: configuration.get('Readiness.WaitMsMax'),
      heartbeatMsMax: configuration.get('Readiness.HeartbeatMsMax'),
      driftMsMax: configuration.get('Clock.DriftMsMax'),
    },
    driftMsMax: configuration.get('Clock.DriftMsMax'),
    tombstoneAgeMs: configuration.get('Tombstone.AgeMs'),
    sweepGraceMs: configuration.get('Sweep.GraceMs'),
    wireVersion: configuration.get('Messages.WireVersion'),
  };
}
