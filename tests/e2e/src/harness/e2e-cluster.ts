import type { Cluster, Probing, Region } from '@tandem/local-cluster';

export type Backend = 'processes' | 'containers';

/** Whole regions behind a traffic manager: the same for the tests whatever they run as. */
export interface E2eCluster
  extends Pick<
    Cluster,
    'regions' | 'region' | 'trafficManager' | 'trafficManagerUrl' | 'logFolder' | 'stop'
  > {
  readonly backend: Backend;
  /** From then on nothing passes between the regions, and nobody is told; each goes on alone. */
  cut(): Promise<void>;
  heal(): Promise<void>;
  /**
   * Replaces the API and the replicator of a region by those of this version, as an upgrade does:
   * stopped in order, started, listening. Processes have one version only: they are restarted.
   */
  upgrade(region: Region): Promise<void>;
  /** Puts the version before this one in their place again, likewise. */
  rollBack(region: Region): Promise<void>;
}

export interface E2eOptions {
  /** Their names; the traffic manager prefers the first. East and west by default. */
  readonly regions?: readonly string[];
  readonly probing?: Probing;
  /** Rows of the Configuration table of every region, beyond those that connect the regions. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Whether the services start at the version before this one; processes have none. */
  readonly startsAtPreviousVersion?: boolean;
}

export const REGION_NAMES: readonly string[] = ['east', 'west'];
export const QUEUE = 'customer';
