import type { ManagedCluster } from '@pulumi/azure-native/containerservice/index.js';
import {
  DataCollectionRule,
  DataCollectionRuleAssociation,
  KnownDataCollectionRuleResourceKind,
} from '@pulumi/azure-native/monitor/index.js';
import type { Region } from '../region/build-region.ts';
import { placeOf, prefixOf } from '../region/region-context.ts';

/** The table ContainerLogV2, which the alerts read. */
const STREAM = 'Microsoft-ContainerLogV2';
const DESTINATION = 'logs';

/** The lines that containers print go to the region's workspace. */
export function collectContainerLogs({ context, logs }: Region, cluster: ManagedCluster): void {
  const prefix = prefixOf(context);
  const rule = new DataCollectionRule(`${prefix}-container-logs`, {
    ...placeOf(context),
    kind: KnownDataCollectionRuleResourceKind.Linux,
    dataSources: {
      extensions: [
        {
          name: 'containers',
          extensionName: 'ContainerInsights',
          streams: [STREAM],
          extensionSettings: {
            dataCollectionSettings: {
              interval: '1m',
              namespaceFilteringMode: 'Include',
              namespaces: ['tandem'],
              enableContainerLogV2: true,
            },
          },
        },
      ],
    },
    destinations: { logAnalytics: [{ name: DESTINATION, workspaceResourceId: logs.id }] },
    dataFlows: [{ streams: [STREAM], destinations: [DESTINATION] }],
  });
  new DataCollectionRuleAssociation(`${prefix}-container-logs`, {
    associationName: 'container-logs',
    resourceUri: cluster.id,
    dataCollectionRuleId: rule.id,
  });
}
