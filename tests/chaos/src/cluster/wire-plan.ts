import type { PortPlan } from '@tandem/local-cluster';

export const REGIONS_MIN = 2;

export const SERVICES = ['API', 'replicator', 'Table endpoint'] as const;

export function othersThan(region: string, regions: readonly string[]): readonly string[] {
  return regions.filter((one) => one !== region);
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
  const regions = Object.entries(plan.regions);
  return regions.flatMap(([region, own]) => {
    const ofServices = SERVICES.flatMap((service) => {
      const from = `${service} of ${region}`;
      const toBrokers = regions.map(([to, { broker }]) => ({
        name: wireName(from, `broker of ${to}`),
        targetPort: broker,
      }));
      return [
        { name: wireName(from, `tables of ${region}`), targetPort: own.tables },
        ...toBrokers,
      ];
    });
    const front = { name: wireName('traffic manager', `API of ${region}`), targetPort: own.api };
    return [...ofServices, front];
  });
}
