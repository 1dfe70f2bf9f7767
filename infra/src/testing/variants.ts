// The stacks whose properties must hold alike, and the parts of them that tests name.
import { EXAMPLE } from './mock-deployment.ts';

const THREE_REGIONS = [
  ...EXAMPLE.regions,
  { name: 'north', location: 'swedencentral', host: 'north.customers.example.com' },
];
export const TABLES = {
  tables: { publicHost: 'tables.example.com', dnsLabel: 'tandem-tables' },
  regions: EXAMPLE.regions.map((one) => ({ ...one, tableHost: `${one.name}.tables.example.com` })),
};
export const CONTAINER_APPS = { platform: 'container-apps', containerApps: { stage: 'domains' } };
export const CONSOLE = {
  issuer: 'https://login.example.com/v2.0',
  clientId: 'console',
  secret: 'console-client',
  allowFrom: ['203.0.113.0/24', '198.51.100.7/32'],
};
/** The operator's place on container apps. */
export const OPERATED = { operators: true, console: CONSOLE, canary: { everyMinutes: 10 } };
export const VARIANTS = [
  { variant: 'clusters', changes: {} },
  { variant: 'container apps', changes: CONTAINER_APPS },
  { variant: 'clusters, Premium', changes: { serviceBusTier: 'Premium' } },
  { variant: 'clusters in three regions', changes: { regions: THREE_REGIONS } },
  { variant: 'clusters with Table endpoints', changes: TABLES },
  {
    variant: 'clusters with a place for operators',
    changes: { operators: true, regions: THREE_REGIONS },
  },
  {
    variant: 'container apps with a place for operators',
    changes: { ...CONTAINER_APPS, ...OPERATED },
  },
];

/** What the variants differ in, with the example's where one says nothing. */
export function settingsOf(changes: object) {
  return { serviceBusTier: 'Standard', ...EXAMPLE, ...changes } as {
    platform: string;
    serviceBusTier: string;
    regions: readonly (typeof THREE_REGIONS)[number][];
  };
}
