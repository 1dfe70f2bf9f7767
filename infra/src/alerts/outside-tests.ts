// Asks every region from other places, as clients do: what only the inside watches is well until nobody reaches it.
import {
  ApplicationType,
  Component,
  WebTest,
  WebTestKind,
} from '@pulumi/azure-native/applicationinsights/index.js';
import { type ActionGroup, MetricAlert } from '@pulumi/azure-native/monitor/index.js';
import type { ResourceGroup } from '@pulumi/azure-native/resources/index.js';
import type { Region } from '../region/build-region.ts';
import type { DeploymentSettings } from '../settings/deployment-settings.ts';

/** Of Azure, by name: on three continents, so that a cut between two is not taken for a region that is gone. */
const PLACES = [
  'emea-nl-ams-azr',
  'emea-gb-db3-azr',
  'emea-ch-zrh-edge',
  'us-va-ash-azr',
  'apac-sg-sin-azr',
];
/** From how many of them it must fail. */
const FAILED_PLACES = 2;
/** The least that Azure takes; each place asks at a time of its own, so one of five asks each minute. */
const EVERY_SECONDS = 300;
const TIMEOUT_SECONDS = 30;
/** Whoever renews a certificate has so long. */
const CERTIFICATE_DAYS_MIN = 14;

const REQUEST = { httpVerb: 'GET', followRedirects: false, parseDependentRequests: false };
const RIGHT = {
  expectedHttpStatusCode: 200,
  sSLCheck: true,
  sSLCertRemainingLifetimeCheck: CERTIFICATE_DAYS_MIN,
};

/** What clients come for: its name, and its host in a region, or in all of them. */
interface Asked {
  readonly name: string;
  readonly host: string;
}

/** Returns a product in each region, and behind the name that all share. */
function outsideTargets({ regions, publicHost, tables }: DeploymentSettings): Asked[] {
  return [
    { name: 'customers', host: publicHost },
    ...regions.map(({ name, host }) => ({ name: `customers-${name}`, host })),
    ...(tables === undefined
      ? []
      : [
          { name: 'tables', host: tables.publicHost },
          ...regions.flatMap(({ name, tableHost }) =>
            tableHost === undefined ? [] : [{ name: `tables-${name}`, host: tableHost }],
          ),
        ]),
  ];
}

function describeUnreachable(host: string): string {
  return (
    `https://${host} does not answer from ${FAILED_PLACES} places, or its certificate ends within ${CERTIFICATE_DAYS_MIN} days, ` +
    'see docs/runbooks/fail-over.md.'
  );
}

/** The answers are kept in the logs of the last priority, which the loss of the first leaves. */
export function createOutsideTests(
  settings: DeploymentSettings,
  group: ResourceGroup,
  { regions, actions }: { readonly regions: readonly Region[]; readonly actions: ActionGroup },
): void {
  const keeper = regions.at(-1);
  if (keeper === undefined) return;
  const { location } = keeper.context.region;
  const component = new Component(`${settings.project}-outside`, {
    resourceGroupName: group.name,
    location,
    kind: 'web',
    applicationType: ApplicationType.Web,
    workspaceResourceId: keeper.logs.id,
  });
  for (const { name, host } of outsideTargets(settings)) {
    const testName = `${settings.project}-${name}-answers`;
    const test = new WebTest(testName, {
      resourceGroupName: group.name,
      location,
      webTestName: testName,
      syntheticMonitorId: testName,
      webTestKind: WebTestKind.Standard,
      kind: WebTestKind.Standard,
      enabled: true,
      frequency: EVERY_SECONDS,
      timeout: TIMEOUT_SECONDS,
      retryEnabled: true,
      locations: PLACES.map((place) => ({ location: place })),
      request: { ...REQUEST, requestUrl: `https://${host}/health/ready` },
      validationRules: RIGHT,
      // By this tag Azure knows whose test it is.
      tags: component.id.apply((id) => ({ [`hidden-link:${id}`]: 'Resource' })),
    });
    new MetricAlert(`${settings.project}-${name}-unreachable`, {
      resourceGroupName: group.name,
      location: 'global',
      description: describeUnreachable(host),
      enabled: true,
      severity: 1,
      scopes: [test.id, component.id],
      evaluationFrequency: 'PT1M',
      windowSize: 'PT5M',
      criteria: {
        odataType: 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria',
        webTestId: test.id,
        componentId: component.id,
        failedLocationCount: FAILED_PLACES,
      },
      actions: [{ actionGroupId: actions.id }],
    });
  }
}
