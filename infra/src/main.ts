// The program that Pulumi runs. Its exports are the outputs of the stack.
import { getClientConfigOutput } from '@pulumi/azure-native/authorization/index.js';
import { Config, RunError } from '@pulumi/pulumi';
import { buildDeployment } from './build-deployment.ts';
import { readSettings } from './settings/read-settings.ts';

const reading = readSettings(new Config('tandem').requireObject('deployment'));
if (!reading.ok) {
  throw new RunError(`The stack's settings cannot be used:\n- ${reading.problems.join('\n- ')}`);
}
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
} = deployment;
