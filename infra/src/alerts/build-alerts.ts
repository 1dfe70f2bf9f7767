import {
  ActionGroup,
  AggregationTypeEnum,
  ConditionOperator,
  DimensionOperator,
  Kind,
  MetricAlert,
  Operator,
  ScheduledQueryRule,
  TimeAggregation,
} from '@pulumi/azure-native/monitor/index.js';
import type { ResourceGroup } from '@pulumi/azure-native/resources/index.js';
import type { Profile } from '@pulumi/azure-native/trafficmanager/index.js';
import type { Region } from '../region/build-region.ts';
import { placeOf, prefixOf } from '../region/region-context.ts';
import type { DeploymentSettings } from '../settings/deployment-settings.ts';
import { canaryQuery, LOG_ALERTS, queryOf, silenceQuery } from './alert-rules.ts';

const EVERY_MINUTE = 'PT1M';
const FIVE_MINUTES = 'PT5M';
const TEN_MINUTES = 'PT10M';
/** A canary that is late is none that is lost; Azure takes no window between these. */
const CANARY_WINDOWS = [
  [5, 'PT15M'],
  [10, 'PT30M'],
  [20, 'PT1H'],
  [30, 'PT2H'],
] as const;

export function createActionGroup(settings: DeploymentSettings, group: ResourceGroup): ActionGroup {
  const { emails = [], phones = [], webhooks = [] } = settings.alertReceivers ?? {};
  const useCommonAlertSchema = true;
  return new ActionGroup(`${settings.project}-operators`, {
    resourceGroupName: group.name,
    location: 'global',
    groupShortName: settings.project.slice(0, 12),
    enabled: true,
    emailReceivers: [
      { name: 'operators', emailAddress: settings.alertEmail, useCommonAlertSchema },
      ...emails.map((emailAddress, index) => ({
        name: `email-${index + 1}`,
        emailAddress,
        useCommonAlertSchema,
      })),
    ],
    smsReceivers: phones.map(({ countryCode, number: phoneNumber }, index) => ({
      name: `phone-${index + 1}`,
      countryCode,
      phoneNumber,
    })),
    webhookReceivers: webhooks.map((serviceUri, index) => ({
      name: `webhook-${index + 1}`,
      serviceUri,
      useCommonAlertSchema,
    })),
  });
}

/** Raised when the query finds nothing in the window. */
function absence(query: string) {
  return {
    allOf: [
      {
        query,
        metricMeasureColumn: 'lines',
        timeAggregation: TimeAggregation.Total,
        operator: ConditionOperator.LessThan,
        threshold: 1,
      },
    ],
  };
}

/** Of one region: lag, outbox age, silence, dead letters. */
export function createRegionAlerts(region: Region, actions: ActionGroup): void {
  const { context } = region;
  const { platform } = context.settings;
  const place = placeOf(context);
  const rule = {
    ...place,
    kind: Kind.LogAlert,
    enabled: true,
    autoMitigate: true,
    scopes: [region.logs.id],
    // What is logged is known in mostly less than three minutes; the rule adds no more than one to that.
    evaluationFrequency: EVERY_MINUTE,
    actions: { actionGroups: [actions.id] },
  };
  for (const alert of LOG_ALERTS) {
    new ScheduledQueryRule(`${prefixOf(context)}-${alert.name}`, {
      ...rule,
      description: alert.description,
      severity: alert.severity,
      windowSize: FIVE_MINUTES,
      criteria: {
        allOf: [
          {
            query: queryOf(platform, alert),
            metricMeasureColumn: 'measured',
            timeAggregation: TimeAggregation.Maximum,
            operator: ConditionOperator.GreaterThan,
            threshold: alert.threshold,
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 },
          },
        ],
      },
    });
  }
  new ScheduledQueryRule(`${prefixOf(context)}-silence`, {
    ...rule,
    description: 'No replicator has said anything for ten minutes, see docs/runbooks/lag-alarm.md.',
    severity: 1,
    windowSize: TEN_MINUTES,
    criteria: absence(silenceQuery(platform)),
  });
  const { canary } = context.settings;
  if (canary !== undefined) {
    const [, windowSize] =
      CANARY_WINDOWS.find(([minutes]) => canary.everyMinutes <= minutes) ?? CANARY_WINDOWS[0];
    new ScheduledQueryRule(`${prefixOf(context)}-canary`, {
      ...rule,
      description:
        'No write from here was read in every region within the last three turns, as clients write and read, see docs/runbooks/fail-over.md.',
      severity: 1,
      windowSize,
      criteria: absence(canaryQuery(platform)),
    });
  }
  createDeadLetterAlert(region, actions);
}

function createDeadLetterAlert({ context, data }: Region, actions: ActionGroup): MetricAlert {
  const { resourceGroupName, tags } = placeOf(context);
  return new MetricAlert(`${prefixOf(context)}-dead-letters`, {
    resourceGroupName,
    tags,
    location: 'global',
    description:
      'A message can never be applied and lies among the dead letters, see docs/runbooks/dead-letters.md.',
    enabled: true,
    severity: 2,
    scopes: [data.namespace.id],
    evaluationFrequency: EVERY_MINUTE,
    windowSize: FIVE_MINUTES,
    criteria: {
      odataType: 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria',
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion',
          name: 'dead-letters',
          metricNamespace: 'Microsoft.ServiceBus/namespaces',
          metricName: 'DeadletteredMessages',
          timeAggregation: AggregationTypeEnum.Maximum,
          operator: Operator.GreaterThan,
          threshold: 0,
          dimensions: [
            {
              name: 'EntityName',
              operator: DimensionOperator.Include,
              values: [context.settings.queue],
            },
          ],
        },
      ],
    },
    actions: [{ actionGroupId: actions.id }],
  });
}

/** A region that clients are no longer sent to. */
interface EndpointAlert {
  readonly name: string;
  readonly profile: Profile;
  readonly actions: ActionGroup;
}

export function createEndpointAlert(
  settings: DeploymentSettings,
  group: ResourceGroup,
  { name, profile, actions }: EndpointAlert,
): MetricAlert {
  return new MetricAlert(`${settings.project}-${name}`, {
    resourceGroupName: group.name,
    location: 'global',
    description: 'Traffic Manager takes a region for lost, see docs/runbooks/fail-over.md.',
    enabled: true,
    severity: 1,
    scopes: [profile.id],
    evaluationFrequency: EVERY_MINUTE,
    windowSize: FIVE_MINUTES,
    criteria: {
      odataType: 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria',
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion',
          name: 'endpoint-degraded',
          metricNamespace: 'Microsoft.Network/trafficManagerProfiles',
          metricName: 'ProbeAgentCurrentEndpointStateByProfileResourceId',
          timeAggregation: AggregationTypeEnum.Maximum,
          operator: Operator.LessThan,
          threshold: 1,
          dimensions: [
            { name: 'EndpointName', operator: DimensionOperator.Include, values: ['*'] },
          ],
        },
      ],
    },
    actions: [{ actionGroupId: actions.id }],
  });
}
