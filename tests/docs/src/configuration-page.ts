import { EnvironmentSchema as CustomerApiEnvironment } from '@tandem/customer-api/config';
import { EnvironmentSchema as ReplicatorEnvironment } from '@tandem/replicator/config';
import { describeEnvironment } from '@tandem/service-kit';
import { tandemSettings } from '@tandem/storage';
import { describeSettings } from '@tandem/storage/testing';
import { EnvironmentSchema as TableEndpointEnvironment } from '@tandem/table-endpoint/config';
import { TelemetryEnvironmentSchema } from '@tandem/telemetry';

/** `docs/configuration.md`, from the schemas that the processes read their settings with. */
export function renderConfigurationPage(): string {
  return `# Configuration

Generated from the schemas in the code by \`pnpm docs:write\`; a test compares.

A process that misses a setting, or finds one malformed, lists all of them at once and exits with 1.
An empty variable counts as not set. Of every value, here and in the table, what pasting leaves around it is taken
away: blanks, line ends, quotes, a byte order mark; a character inside that nobody sees is named by its number.
In connection strings the names may be in either case.

## Environment of the customer API
${describeEnvironment(CustomerApiEnvironment)}

## Environment of the Table endpoint
${describeEnvironment(TableEndpointEnvironment)}

## Environment of the replicator
${describeEnvironment(ReplicatorEnvironment)}

## Telemetry of the customer API, the Table endpoint and the replicator
The standard variables of OpenTelemetry; unless they ask for it, nothing is measured, traced or served.
\`/metrics\` has a port of its own, on loopback by default: it names regions and routes, so it is opened to
the scraper alone and never through an ingress. Those variables of the OTLP exporters that are not listed
(\`OTEL_EXPORTER_OTLP_ENDPOINT\`, \`OTEL_EXPORTER_OTLP_HEADERS\` and others) work as OpenTelemetry says, and
so does \`OTEL_RESOURCE_ATTRIBUTES\`. Alert rules and a dashboard lie in \`observability/\`.

${describeEnvironment(TelemetryEnvironmentSchema)}

## The table \`Configuration\` of a region
Partition key \`Configuration\`, row key the name, column \`value\`. A variable of the second column overrides
its setting in the process that has it, for development: charts and infrastructure give their processes none, but have
a job of the release write them here (\`tandem config release\`, [ADR 49](adr/0049-write-the-settings-of-a-release-to-their-table.md)).
\`tandem config check\` names what the running replicator is overridden in. What takes effect at once is read again
within a minute by whatever runs; all else when a process is started.
Secrets never appear in a log or an error.

${describeSettings(tandemSettings)}
`;
}
