import type { OpenClient } from './client.ts';
import { whyNoPython } from './clients/python.ts';

/** Each is loaded only in the process that it runs in. */
export const OPENERS = {
  '@azure/data-tables': async (): Promise<OpenClient> =>
    (await import('./clients/data-tables.ts')).openDataTables,
  'azure-storage': async (): Promise<OpenClient> =>
    (await import('./clients/azure-storage.ts')).openAzureStorage,
  '@nestjs/azure-database': async (): Promise<OpenClient> =>
    (await import('./clients/nestjs.ts')).openNest,
  '@auth/azure-tables-adapter': async (): Promise<OpenClient> =>
    (await import('./clients/auth-adapter.ts')).openAuthAdapter,
  'connect-azuretables': async (): Promise<OpenClient> =>
    (await import('./clients/connect-azuretables.ts')).openConnectAzureTables,
  curl: async (): Promise<OpenClient> => (await import('./clients/curl.ts')).openCurl,
  'python3-azure': async (): Promise<OpenClient> =>
    (await import('./clients/python.ts')).openPython,
} as const satisfies Readonly<Record<string, () => Promise<OpenClient>>>;

export type ClientName = keyof typeof OPENERS;

export const CLIENT_NAMES = Object.keys(OPENERS) as readonly ClientName[];

/** Says why a client cannot be run on this machine; undefined for one that can, and must. */
export function whyAbsent(name: ClientName): string | undefined {
  return name === 'python3-azure' ? whyNoPython() : undefined;
}
