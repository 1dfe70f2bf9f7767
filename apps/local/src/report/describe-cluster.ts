import { writeFileSync } from 'node:fs';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Cluster, type ClusterEvent, inventoryOf, type Region } from '@tandem/local-cluster';
import Table from 'cli-table3';
import { DATA_DEFAULT } from '../options/read-options.ts';

const FILE = 'tandem.regions.json';
const FOUND_BY_ITSELF = join(DATA_DEFAULT, FILE);

/** Names the customer that the examples write. */
const EXAMPLE_ID = '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
const EXAMPLE_BODY = '{"email":"ada@example.com","firstName":"Ada","lastName":"Lovelace"}';

/** Returns every address of the cluster, one row each. */
function toAddressTable(cluster: Cluster): string {
  const table = new Table({ style: { head: [], border: [] } });
  for (const region of cluster.regions) table.push(...rowsOf(region));
  table.push(
    [{ rowSpan: 2, content: 'in front' }, 'traffic manager', cluster.trafficManagerUrl],
    ['its status', `${cluster.trafficManagerUrl}/_traffic-manager/`],
  );
  return table.toString();
}

function rowsOf({ name, addresses }: Region): Table.HorizontalTableRow[] {
  const rows: [string, string][] = [
    ['API', `${addresses.api}/customers`],
    ['its documentation', `${addresses.api}/docs`],
    ['health', `${addresses.api}/health/ready`],
    ['Table endpoint', endpointOf(addresses.tableEndpoint, 'TableEndpoint')],
    ['replicator status', `${addresses.replicator}/status`],
    ['tables (Azurite)', endpointOf(addresses.tables, 'TableEndpoint')],
    ['broker (Service Bus emulator)', endpointOf(addresses.broker, 'Endpoint')],
    ['its messages', messagesUrl(addresses.brokerAdmin)],
  ];
  return rows.map((row, index) =>
    index === 0 ? [{ rowSpan: rows.length, content: name }, ...row] : row,
  );
}

/** Returns three commands that a person can paste into a shell, in this order. */
function toExamples({ regions, trafficManagerUrl }: Cluster): readonly string[] {
  const [home] = regions;
  const other = regions.at(-1);
  if (home === undefined || other === undefined) return [];
  const path = `/customers/${EXAMPLE_ID}`;
  return [
    `version=$(curl -sS -o /dev/null -w '%header{x-tandem-version}' -X PUT ${home.addresses.api}${path} -H 'content-type: application/json' -d '${EXAMPLE_BODY}'); echo "version $version"`,
    // A change is on its way for some milliseconds, and a shell is faster.
    `curl -sS ${other.addresses.api}${path} -H "x-tandem-min-version: $version" -H 'prefer: wait=10'; echo`,
    `curl -i ${trafficManagerUrl}${path}`,
  ];
}

/** Describes it to a person; `inventory` is the file that tells `tandem` of it. */
export function describeCluster(cluster: Cluster, inventory: string): string {
  const names = cluster.regions.map(({ name }) => name);
  const [write = '', read = '', front = ''] = toExamples(cluster);
  return [
    toAddressTable(cluster),
    '',
    `Create a customer in ${names[0]}:`,
    `  ${write}`,
    `Read it in ${names.at(-1)}:`,
    `  ${read}`,
    'Read it through the traffic manager:',
    `  ${front}`,
    '',
    'Connect any client of Azure Table Storage, by the connection string of a region:',
    ...cluster.regions.map(({ addresses }) => `  ${addresses.tableEndpoint}`),
    '',
    'Ask whether the regions are equal:',
    `  node scripts/pnpm.mjs tandem${optionFor(inventory)} verify`,
    '',
    'Open on loopback (127.0.0.1) only: no other machine can reach it.',
    `Data in ${cluster.dataFolder}, logs in ${cluster.logFolder}.`,
    'Ready. Ctrl-C stops it; the data stays for the next start.',
  ].join('\n');
}

/** `tandem` finds by itself what is where `npm start` keeps its data unless it is told. */
function optionFor(inventory: string): string {
  if (inventory === resolve(FOUND_BY_ITSELF)) return '';
  const isPlain = /^[\w./:@%+,-]+$/.test(inventory);
  return ` --regions ${isPlain ? inventory : `'${inventory.replaceAll("'", "'\\''")}'`}`;
}

function endpointOf(connection: string, key: string): string {
  const value = connection.split(';').find((part) => part.startsWith(`${key}=`));
  return value?.slice(key.length + 1) ?? connection;
}

/** The emulator shows them where its administration is. */
function messagesUrl(brokerAdmin: string): string {
  return `${endpointOf(brokerAdmin, 'Endpoint').replace(/^sb:/, 'http:').replace(/\/$/, '')}/$messages`;
}

/** Returns one line or more for a person; undefined for what is not worth one. */
export function describeEvent(event: ClusterEvent): string | undefined {
  switch (event.kind) {
    case 'starting':
      return undefined;
    case 'ready':
      return `  ${event.process}: listening after ${event.durationMs} ms`;
    case 'ended':
      return event.message;
    case 'restarting':
      return `  ${event.process}: started again in ${event.delayMs} ms`;
    case 'given-up':
      return `  ${event.process}: ended ${event.tries + 1} times in a row and is left down; stop everything, see its log, start again.`;
    case 'killed':
      return `  ${event.process}: did not stop in time and was killed.`;
    default:
      return unknown(event);
  }
}

function unknown(event: never): string {
  return JSON.stringify(event);
}

/** It holds keys. */
const OWNER_ONLY = 0o600;

/** Tells the `tandem` command where the regions of this machine are. Resolves to the file. */
export async function writeInventory(cluster: Cluster): Promise<string> {
  const { regions, ...others } = inventoryOf(cluster);
  const own = regions.map((region) => ({
    ...region,
    processes: processesFile(cluster, region.name),
  }));
  const text = JSON.stringify({ ...others, regions: own }, undefined, 2);
  const file = join(cluster.dataFolder, FILE);
  await writeFile(file, `${text}\n`, { mode: OWNER_ONLY });
  // One that was there keeps its mode.
  await chmod(file, OWNER_ONLY);
  return file;
}

function processesFile({ dataFolder }: Pick<Cluster, 'dataFolder'>, region: string): string {
  return resolve(dataFolder, `${region}.pids`);
}

/**
 * Writes down which processes a region is now, so that a person can end them with one command: all that a loss may end
 * with SIGKILL, which is all but its tables. One that is gone is no longer there: its number may be another's.
 */
export function writeProcesses(cluster: Pick<Cluster, 'dataFolder' | 'regions'>): void {
  for (const { name, api, tableEndpoint, replicator, broker } of cluster.regions) {
    const pids = [api, tableEndpoint, replicator, broker].flatMap(({ pid }) => pid ?? []);
    const file = processesFile(cluster, name);
    try {
      writeFileSync(file, pids.map((pid) => `${pid}\n`).join(''));
    } catch (error) {
      // A disk that is full is no reason to end the regions.
      console.error(`What runs of ${name} cannot be written to ${file}: ${String(error)}`);
    }
  }
}

/** When they are stopped, the numbers are whoever's gets them next. */
export async function forgetProcesses(
  cluster: Pick<Cluster, 'dataFolder' | 'regions'>,
): Promise<void> {
  for (const { name } of cluster.regions) await rm(processesFile(cluster, name), { force: true });
}
