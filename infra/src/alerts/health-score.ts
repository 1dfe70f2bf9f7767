// One figure for each region and product, of the same lines and answers that the alerts are made from: docs/slo.md says what it means.
import { SavedSearch } from '@pulumi/azure-native/operationalinsights/index.js';
import type { Region } from '../region/build-region.ts';
import { prefixOf } from '../region/region-context.ts';
import { LOG_ALERTS, STATUS_EVENT, statusLinesOf } from './alert-rules.ts';

const WINDOW = '10m';
/** What is taken off for each alert that would be raised: two of the worst leave nothing. */
const PENALTY: Readonly<Record<number, number>> = { 1: 50, 2: 20 };
const PENALTY_OF_DEAD_LETTERS = 20;

/** Returns the query of a region: a row with the score, 0 where its replicators say nothing. */
function regionScoreQuery(region: Region): string {
  const penalties = LOG_ALERTS.map(
    ({ measure, threshold, severity }) =>
      `iff(coalesce(${measure}, 0) > ${threshold}, ${PENALTY[severity] ?? 0}, 0)`,
  );
  penalties.push(
    `iff(coalesce(tolong(entry.deadLetterCount), 0) > 0, ${PENALTY_OF_DEAD_LETTERS}, 0)`,
  );
  return [
    statusLinesOf(region.context.settings.platform),
    `| where TimeGenerated > ago(${WINDOW}) and tostring(entry.event) == '${STATUS_EVENT}'`,
    `| extend penalty = ${penalties.join(' + ')}`,
    '| summarize lines = count(), worst = max(penalty)',
    `| project region = '${region.context.region.name}', score = iff(lines == 0, 0, max_of(0, 100 - worst))`,
  ].join('\n');
}

/** Of each product in each region, how many of its answers to other places were right, in percent. */
const PRODUCT_SCORE_QUERY = [
  'AppAvailabilityResults',
  `| where TimeGenerated > ago(1h)`,
  '| summarize score = round(100.0 * countif(Success) / count()) by test = Name',
].join('\n');

/** Functions of the workspaces, so that a dashboard, a workbook and a person ask the same. */
export function createHealthScores(regions: readonly Region[]): void {
  for (const region of regions) save(region, 'TandemRegionScore', regionScoreQuery(region));
  const keeper = regions.at(-1);
  if (keeper !== undefined) save(keeper, 'TandemProductScores', PRODUCT_SCORE_QUERY);
}

function save({ context, logs }: Region, functionAlias: string, query: string): void {
  new SavedSearch(`${prefixOf(context)}-${functionAlias}`, {
    resourceGroupName: context.group.name,
    workspaceName: logs.name,
    savedSearchId: functionAlias.toLowerCase(),
    category: 'Tandem',
    displayName: functionAlias,
    functionAlias,
    query,
  });
}
