import type { ResourceGroup } from '@pulumi/azure-native/resources/index.js';
import {
  AlwaysServe,
  EndpointStatus,
  MonitorProtocol,
  Profile,
  ProfileStatus,
  TrafficRoutingMethod,
} from '@pulumi/azure-native/trafficmanager/index.js';
import type { DeploymentSettings } from '../settings/deployment-settings.ts';

const HTTPS_PORT = 443;
/** Red until the region has caught up, so that failing back too early is not possible. */
const PROBE_PATH = '/health/ready';

/** What clients are led to under one name. */
export interface Lead {
  /** Of the profile, unique in the stack. */
  readonly name: string;
  readonly dnsLabel: string;
  /** Of the regions, in the order of their priority. */
  readonly targets: readonly { readonly name: string; readonly host: string }[];
}

/** Sends everyone to the first region that is ready. */
export function createTrafficManager(
  { probe }: Pick<DeploymentSettings, 'probe'>,
  group: ResourceGroup,
  { name: profileName, dnsLabel, targets }: Lead,
): Profile {
  return new Profile(profileName, {
    resourceGroupName: group.name,
    location: 'global',
    profileStatus: ProfileStatus.Enabled,
    trafficRoutingMethod: TrafficRoutingMethod.Priority,
    dnsConfig: { relativeName: dnsLabel, ttl: probe.dnsTtlSeconds },
    monitorConfig: {
      protocol: MonitorProtocol.HTTPS,
      port: HTTPS_PORT,
      path: PROBE_PATH,
      intervalInSeconds: probe.intervalSeconds,
      timeoutInSeconds: probe.timeoutSeconds,
      toleratedNumberOfFailures: probe.toleratedFailures,
      expectedStatusCodeRanges: [{ min: 200, max: 200 }],
    },
    endpoints: targets.map(({ name, host }, index) => ({
      name,
      type: 'Microsoft.Network/trafficManagerProfiles/externalEndpoints',
      target: host,
      priority: index + 1,
      endpointStatus: EndpointStatus.Enabled,
      alwaysServe: AlwaysServe.Disabled,
    })),
  });
}
