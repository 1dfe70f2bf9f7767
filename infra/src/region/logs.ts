import { DiagnosticSetting } from '@pulumi/azure-native/monitor/index.js';
import { Workspace, WorkspaceSkuNameEnum } from '@pulumi/azure-native/operationalinsights/index.js';
import { interpolate } from '@pulumi/pulumi';
import type { RegionData } from './data.ts';
import { placeOf, prefixOf, type RegionContext } from './region-context.ts';

const RETENTION_DAYS = 30;

/** Each region keeps its own logs, so that they outlive the loss of another. */
export function createLogs(context: RegionContext, data: RegionData): Workspace {
  const prefix = prefixOf(context);
  const workspace = new Workspace(`${prefix}-logs`, {
    ...placeOf(context),
    sku: { name: WorkspaceSkuNameEnum.PerGB2018 },
    retentionInDays: RETENTION_DAYS,
  });
  const audited = {
    tables: interpolate`${data.account.id}/tableServices/default`,
    namespace: data.namespace.id,
    vault: data.vault.id,
  };
  for (const [name, resourceUri] of Object.entries(audited)) {
    new DiagnosticSetting(`${prefix}-${name}-audit`, {
      resourceUri,
      workspaceId: workspace.id,
      logs: [{ categoryGroup: name === 'tables' ? 'allLogs' : 'audit', enabled: true }],
    });
  }
  return workspace;
}
