import type { Usage } from './usage.ts';

/** In US dollars. */
export interface Prices {
  /** Of 10,000 requests to tables. */
  readonly tablePer10k: number;
  /** Of a million operations of Service Bus Standard, beyond those that its base charge includes. */
  readonly busPerMillion: number;
  /** Of a GiB that leaves one region for another of the same continent. */
  readonly trafficPerGib: number;
}

/** Rounded list prices as they were remembered on `PRICES_AS_OF`: look up your own, and give them. */
export const PRICES_DEFAULT: Prices = {
  tablePer10k: 0.000_36,
  busPerMillion: 0.8,
  trafficPerGib: 0.02,
};
export const PRICES_AS_OF = '2026-11-22';

const MILLION = 1_000_000;
const GIB = 1_024 ** 3;

/** In US dollars for a million of what `usage` is of. */
export function priceOfMillion(usage: Usage, prices: Prices): number {
  return (
    ((usage.tableRequests * MILLION) / 10_000) * prices.tablePer10k +
    usage.busOperations * prices.busPerMillion +
    ((usage.bytesBetweenRegions * MILLION) / GIB) * prices.trafficPerGib
  );
}
