import type { PortPlan } from '@tandem/local-cluster';

export const REGION_NAMES = ['east', 'west'] as const;
export type RegionName = (typeof REGION_NAMES)[number];

export const SERVICES = ['API', 'replicator'] as const;

export function otherThan(region: RegionName): RegionName {
  return region === 'east' ? 'west' : 'east';
}

/** One TCP connection of the cluster that faults may reach. */
export interface PlannedWire {
  /** `API of east to tables of east` */
  readonly name: string;
  readonly targetPort: number;
}

/** What a process connects to, by the names of the processes. */
export function wireName(from: string, to: string): string {
  return `${from} to ${to}`;
}

/** Every connection between processes of the cluster but those of the administration. */
export function planWires(plan: PortPlan): PlannedWire[] {
  return REGION_NAMES.flatMap((region) => {
    const [own, peer] = [plan.regions[region], plan.regions[otherThan(region)]];
    if (own === undefined || peer === undefined) throw new Error(`no ports for ${region}`);
    const ofServices = SERVICES.flatMap((service) => {
      const from = `${service} of ${region}`;
      return [
        { name: wireName(from, `tables of ${region}`), targetPort: own.tables },
        { name: wireName(from, `broker of ${region}`), targetPort: own.broker },
        { name: wireName(from, `broker of ${otherThan(region)}`), targetPort: peer.broker },
      ];
    });
    const front = { name: wireName('traffic manager', `API of ${region}`), targetPort: own.api };
    return [...ofServices, front];
  });
}
