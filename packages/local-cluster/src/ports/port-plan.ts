/** Ports of one cluster are one block, so that choosing another block is one number. */
export const PORT_BASE_DEFAULT = 7700;
export const PORT_BLOCK_SIZE = 100;
/** Ten ports a region, the first ten of the block are for what stands in front. */
export const REGIONS_MAX = 9;
const REGION_PORTS = 10;
const PORT_BASE_MIN = 1024;
const PORT_BASE_MAX = 65_535 - PORT_BLOCK_SIZE + 1;

export interface RegionPorts {
  readonly api: number;
  /** Of the replicator's health and status. */
  readonly replicator: number;
  readonly tables: number;
  readonly broker: number;
  readonly brokerAdmin: number;
}

export interface PortPlan {
  readonly trafficManager: number;
  readonly regions: Readonly<Record<string, RegionPorts>>;
}

export interface PortUse {
  readonly port: number;
  readonly usedBy: string;
}

/** With base 7700: 7700 in front, 7710 to 7714 for the first region, 7720 to 7724 for the second. */
export function planPorts(base: number, regions: readonly string[]): PortPlan {
  const entries = regions.map((region, index) => {
    const first = base + REGION_PORTS * (index + 1);
    const ports: RegionPorts = {
      api: first,
      replicator: first + 1,
      tables: first + 2,
      broker: first + 3,
      brokerAdmin: first + 4,
    };
    return [region, ports] as const;
  });
  return { trafficManager: base, regions: Object.fromEntries(entries) };
}

export function listPorts(plan: PortPlan): readonly PortUse[] {
  const ofRegions = Object.entries(plan.regions).flatMap(([region, ports]) => [
    { port: ports.api, usedBy: `the API of ${region}` },
    { port: ports.replicator, usedBy: `the replicator of ${region}` },
    { port: ports.tables, usedBy: `the tables of ${region}` },
    { port: ports.broker, usedBy: `the broker of ${region}` },
    { port: ports.brokerAdmin, usedBy: `the broker's administration of ${region}` },
  ]);
  return [{ port: plan.trafficManager, usedBy: 'the traffic manager' }, ...ofRegions];
}

/** The plan in words, for a help text. */
export function portsText(): string {
  return [
    '  B        the traffic manager, in front of all regions',
    '  B+10     API of the first region        B+20     API of the second',
    '  B+11     its replicator (status)        B+21     and so on',
    '  B+12     its tables',
    '  B+13     its broker, B+14 the administration of the broker',
  ].join('\n');
}

/** Reads a base as a person gives it; the rule that it breaks is the problem. */
export function parsePortBase(
  text: string,
):
  | { readonly kind: 'base'; readonly base: number }
  | { readonly kind: 'problem'; readonly problem: string } {
  const base = /^\d{1,5}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (base >= PORT_BASE_MIN && base <= PORT_BASE_MAX) return { kind: 'base', base };
  return {
    kind: 'problem',
    problem: `"${text}" is no port base: give a whole number from ${PORT_BASE_MIN} to ${PORT_BASE_MAX}, for example ${PORT_BASE_DEFAULT}.`,
  };
}
