import { AppError, type ReadinessSettings, readPastedText } from '@tandem/core';
import type { Environment } from '@tandem/service-kit';
import {
  environmentNameOf,
  findOverrideProblems,
  type Peer,
  readPeers,
  type SettingValue,
  type TandemConfiguration,
  tandemSettings,
} from '@tandem/storage';
import { openStore } from './connections.ts';

const MIB = 1024 * 1024;

export type DataAccess = SettingValue<(typeof tandemSettings)['Customer.DataAccess']>;

/** What the processes of a region read of its Configuration once, when they start. */
export interface RegionSettings {
  readonly dataAccess: DataAccess;
  /** Holds for every entity kind of an owner; `bucketCountOf` tells those of Tandem's own kinds. */
  readonly bucketCount: number;
  /** Holds for the rows of the tables of clients. */
  readonly rowsBucketCount: number;
  /** Holds for the rows of those that were moved; undefined where the region has no space for such. */
  readonly otherRowsBucketCount?: number | undefined;
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

/**
 * Reads the settings that a process needs when it starts. Throws `CONFIGURATION_INVALID` when the
 * peers are wrong.
 */
export function readRegionSettings(
  configuration: Pick<TandemConfiguration, 'get'>,
  region: string,
): RegionSettings {
  const peers = readPeers(configuration, region);
  const former = configuration.get('Regions.Former')?.split(',') ?? [];
  return {
    dataAccess: configuration.get('Customer.DataAccess'),
    bucketCount: configuration.get('Tables.BucketCount'),
    rowsBucketCount: configuration.get('Rows.BucketCount'),
    otherRowsBucketCount: configuration.get('Rows2.BucketCount'),
    rowMemoryBytesMax: configuration.get('Rows.MemoryMib') * MIB,
    queue: configuration.get('Customer.Queue'),
    peers,
    regions: new Set([region, ...peers.map((peer) => peer.region), ...former]),
    readiness: readReadinessSettings(configuration),
    driftMsMax: configuration.get('Clock.DriftMsMax'),
    tombstoneAgeMs: configuration.get('Tombstone.AgeMs'),
    sweepGraceMs: configuration.get('Sweep.GraceMs'),
    wireVersion: configuration.get('Messages.WireVersion'),
  };
}

/** Reads what readiness is decided by; what an operator changes counts at the next probe. */
export function readReadinessSettings(
  configuration: Pick<TandemConfiguration, 'get'>,
): ReadinessSettings {
  return {
    lagMsMax: configuration.get('Readiness.LagMsMax'),
    waitMsMax: configuration.get('Readiness.WaitMsMax'),
    heartbeatMsMax: configuration.get('Readiness.HeartbeatMsMax'),
    driftMsMax: configuration.get('Clock.DriftMsMax'),
  };
}

const DATA_ACCESS_VARIABLE = environmentNameOf('Customer.DataAccess');
const STORAGE_MISSING =
  'STORAGE_CONNECTION is not set: it must be a connection string or the URL of the tables of an ' +
  'account, for example STORAGE_CONNECTION=https://tandemeast.table.core.windows.net ' +
  `(or set ${DATA_ACCESS_VARIABLE}=memory to keep nothing).`;

/**
 * What every process of a region asks of its environment, besides what its own schema says: where the
 * tables are, unless nothing is kept, and well-formed overrides of settings. Connects to nothing.
 */
export function findRegionProblems(environment: Environment): string[] {
  return [
    ...findStorageProblems(environment),
    ...findOverrideProblems(tandemSettings, environment),
  ];
}

function findStorageProblems(environment: Environment): string[] {
  const read = readPastedText(environment['STORAGE_CONNECTION'] ?? '');
  // Whoever reads it with its own schema says so.
  if (read.kind === 'unreadable') return [];
  const connection = read.text;
  if (connection === '') {
    const access = readPastedText(environment[DATA_ACCESS_VARIABLE] ?? '');
    return access.kind === 'text' && access.text === 'memory' ? [] : [STORAGE_MISSING];
  }
  try {
    openStore(connection);
    return [];
  } catch (error) {
    if (error instanceof AppError) return [`STORAGE_CONNECTION cannot be used: ${error.message}`];
    throw error;
  }
}
