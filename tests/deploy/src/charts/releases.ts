import { readdirSync } from 'node:fs';
import { HELM_FOLDER } from '../tools/folders.ts';

/** What a release consists of: a region and a profile. */
export interface Release {
  readonly region: string;
  readonly profile: string;
}

/** Everything that has a file. */
export const REGIONS = namesIn(HELM_FOLDER, /^values\.(?!regions)(.+)\.yaml$/);
export const PROFILES = namesIn(`${HELM_FOLDER}/profiles`, /^(.+)\.yaml$/);
export const RELEASES: readonly Release[] = REGIONS.flatMap((region) =>
  PROFILES.map((profile) => ({ region, profile })),
);

/** The profile whose releases have a Table endpoint. */
export const TABLES_PROFILE = 'tables';

/** The profile whose releases have an operator's place. */
export const OPERATOR_PROFILE = 'operator';

/** Returns the services of a release, by the names of their charts. */
export function servicesOf({ profile }: Release): readonly string[] {
  const services = ['customer-api', 'replicator'];
  return profile === TABLES_PROFILE ? [...services, 'table-endpoint'] : services;
}

/** The files of values, in the order in which the runbook passes them. */
export function valuesFiles({ region, profile }: Release): readonly string[] {
  return [
    `${HELM_FOLDER}/values.regions.yaml`,
    `${HELM_FOLDER}/values.${region}.yaml`,
    `${HELM_FOLDER}/profiles/${profile}.yaml`,
  ];
}

function namesIn(folder: string, pattern: RegExp): readonly string[] {
  return readdirSync(folder)
    .map((file) => pattern.exec(file)?.[1])
    .filter((name) => name !== undefined)
    .sort();
}
