// The program that Pulumi runs. Its exports are the outputs of the stack.
import { getClientConfigOutput } from '@pulumi/azure-native/authorization/index.js';
import {
  Config,
  getOrganization,
  getProject,
  getStack,
  RunError,
  StackReference,
} from '@pulumi/pulumi';
import { buildDeployment } from './build-deployment.ts';
import { findUpgradeProblem, wantedVersions } from './settings/find-upgrade-problem.ts';
import { readSettings } from './settings/read-settings.ts';

const reading = readSettings(new Config('tandem').requireObject('deployment'));
if (!reading.ok) {
  throw new RunError(`The stack's settings cannot be used:\n- ${reading.problems.join('\n- ')}`);
}
const own = new StackReference('before', {
  name: `${getOrganization()}/${getProject()}/${getStack()}`,
});
const ran = (await own.getOutputDetails('versions')).value;
const problem = findUpgradeProblem(ran, wantedVersions(reading.settings));
if (problem !== undefined) throw new RunError(problem);
const { tenantId } = getClientConfigOutput();
const deployment = buildDeployment(reading.settings, tenantId);

export const {
  helmValues,
  helmRegionValues,
  dnsRecords,
  kustomizeValues,
  clusterNames,
  inventory,
  trafficManagerHost,
  tableTrafficManagerHost,
  registryServer,
  /** What each region runs after this run; the next one reads it. */
  versions,
} = deployment;
