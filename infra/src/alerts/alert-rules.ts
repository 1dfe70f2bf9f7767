import type { DeploymentSettings } from '../settings/deployment-settings.ts';

/** An alert on what the replicators log. */
export interface LogAlert {
  readonly name: string;
  /** What is wrong, and where to read on. */
  readonly description: string;
  /** The `event` of the log lines that it reads. */
  readonly event: string;
  /** What is taken of each line, in the query language of the logs. */
  readonly measure: string;
  readonly threshold: number;
  readonly severity: number;
}

/** Every replicator writes one line a minute with this event. */
export const STATUS_EVENT = 'replication-status';

const MINUTE_MS = 60_000;

export const LOG_ALERTS: readonly LogAlert[] = [
  {
    name: 'lag',
    description:
      'Changes of a peer take more than a minute to arrive, see docs/runbooks/lag-alarm.md.',
    event: STATUS_EVENT,
    measure: 'tolong(entry.lagMsMax)',
    threshold: MINUTE_MS,
    severity: 1,
  },
  {
    name: 'outbox-age',
    description:
      'Acknowledged changes wait in the outbox for more than a minute: they would be lost with the region, see docs/runbooks/lag-alarm.md.',
    event: STATUS_EVENT,
    measure: 'tolong(entry.outboxAgeMs)',
    threshold: MINUTE_MS,
    severity: 1,
  },
  {
    name: 'claims-refused',
    description:
      'A peer or a process says a time to come, a watermark for instance: it is not believed, and the region waits for it, see docs/runbooks/clocks.md.',
    event: STATUS_EVENT,
    measure: 'tolong(entry.claimsRefusedCount)',
    threshold: 0,
    severity: 1,
  },
  {
    name: 'clock-ahead',
    description:
      'The clock of a replicator is ahead of its storage account, and what it would refuse is held, see docs/runbooks/clocks.md.',
    event: STATUS_EVENT,
    measure: 'tolong(entry.clocksAheadCount)',
    threshold: 0,
    severity: 1,
  },
  {
    name: 'conflicts',
    description:
      'More than a hundred conflicts in a minute: two regions write the same rows, see docs/runbooks/conflicts.md.',
    event: STATUS_EVENT,
    measure: 'tolong(entry.conflictCount)',
    threshold: 100,
    severity: 2,
  },
];

const SOURCES: Readonly<Record<DeploymentSettings['platform'], string>> = {
  kubernetes:
    "ContainerLogV2\n| where PodNamespace == 'tandem' and ContainerName == 'replicator'\n| extend entry = parse_json(tostring(LogMessage))",
  'container-apps':
    "ContainerAppConsoleLogs\n| where ContainerName == 'replicator'\n| extend entry = parse_json(Log)",
};

/** The lines of the replicators, each with what it says in the column `entry`. */
export function statusLinesOf(platform: DeploymentSettings['platform']): string {
  return SOURCES[platform];
}

/** One row for each line of the event, with the column `measured`. */
export function queryOf(platform: DeploymentSettings['platform'], alert: LogAlert): string {
  return [
    SOURCES[platform],
    `| where tostring(entry.event) == '${alert.event}'`,
    `| project TimeGenerated, measured = ${alert.measure}`,
    '| where isnotnull(measured)',
  ].join('\n');
}

const CANARIES: Readonly<Record<DeploymentSettings['platform'], string>> = {
  kubernetes:
    "ContainerLogV2\n| where PodNamespace == 'tandem' and PodName startswith 'operator-canary-'\n| extend entry = parse_json(tostring(LogMessage))",
  'container-apps':
    "ContainerAppConsoleLogs\n| where ContainerName == 'tandem'\n| extend entry = parse_json(Log)",
};

/** How many canaries of a region have written everywhere, and read it everywhere else. */
export function canaryQuery(platform: DeploymentSettings['platform']): string {
  return `${CANARIES[platform]}\n| where tostring(entry.command) == 'canary' and tobool(entry.ok)\n| count\n| project lines = Count`;
}

/** A region whose replicators say nothing at all has no lag either. */
export function silenceQuery(platform: DeploymentSettings['platform']): string {
  return `${SOURCES[platform]}\n| where tostring(entry.event) == '${STATUS_EVENT}'\n| count\n| project lines = Count`;
}
