import type { Cluster, Region } from '@tandem/local-cluster';
import { type CustomerClient, createCustomerClient } from '../api/customer-client.ts';
import { createOrderClient, createOrderTable } from '../api/order-client.ts';
import { untilEqual } from '../compare/compare-customers.ts';
import type { CustomerFields, DemoCustomer, DemoFields } from '../customers/make-customers.ts';
import { createLagSampler, type LagSampler } from '../lag/lag-sampler.ts';
import type { DemoReport } from '../report/demo-report.ts';
import type { Progress } from '../report/progress.ts';
import { type WriteOptions, type WriteResult, writeCustomers } from '../write/write-customers.ts';

/** Writes in the first region and compares in all others. */
export async function runPlain<F extends DemoFields>(
  cluster: Cluster,
  options: RunOptions<F>,
): Promise<DemoReport> {
  const { target, progress } = options;
  const { customers } = target;
  const [home, ...others] = regionsOf(cluster);
  await target.prepare(cluster.regions);
  const clients = others.map((region) => target.open(region));
  const names = others.map(({ name }) => name);
  const sampler = createLagSampler({
    total: customers.length,
    hasArrived: (customerId) => isInAll(clients, customerId),
  });
  const startedMs = performance.now();

  const result = await writeAll(options, {
    title: `Writing in ${home.name}`,
    client: target.open(home),
    idsBy: 'api',
    onAcknowledged: ({ customerId, region }) => sampler.acknowledged(customerId, region),
  });

  progress.begin(`Arriving in ${names.join(', ')}`, result.written.acknowledged.size);
  const comparison = await untilEqual({
    written: result.written,
    clients,
    onProgress: (count) => progress.update(count),
  });
  progress.end();
  return {
    comparedIn: names,
    written: result.written.acknowledged,
    kind: target.kind,
    writeMs: result.durationMs,
    notAcknowledged: result.notAcknowledged,
    comparison,
    totalMs: performance.now() - startedMs,
    lagsMs: await sampler.finish(SAMPLES_WAIT_MS_MAX),
  };
}

export interface RunOptions<F extends DemoFields = DemoFields> {
  readonly target: Target<F>;
  readonly concurrency: number;
  readonly progress: Progress;
}

/** After the last comparison: what has not arrived by then does not arrive. */
const SAMPLES_WAIT_MS_MAX = 5_000;

/** Returns them all, the one that is written to, or lost, first. */
function regionsOf({ regions }: Cluster): readonly [Region, ...Region[]] {
  const [home, ...others] = regions;
  if (home === undefined || others.length === 0) throw new Error('The demo needs two regions.');
  return [home, ...others];
}

async function isInAll(
  clients: readonly Pick<CustomerClient, 'has'>[],
  customerId: string,
): Promise<boolean> {
  const found = await Promise.all(clients.map((client) => client.has(customerId)));
  return found.every(Boolean);
}

const LOST_AT = 0.5;
const BACK_AT = 0.75;
const READY_MS_MAX = 5 * 60_000;

/** Writes through what stands in front of the regions, loses the first region half way, and compares all. */
export async function runFailOver<F extends DemoFields>(
  cluster: Cluster,
  options: RunOptions<F>,
): Promise<DemoReport> {
  const { target, progress } = options;
  const regions = regionsOf(cluster);
  const [lost] = regions;
  await target.prepare(regions);
  const clients = new Map(regions.map((region) => [region.name, target.open(region)]));
  const sampler = createLagSampler({
    total: target.customers.length,
    hasArrived: (customerId, writtenIn) => {
      const others = [...clients].filter(([region]) => region !== writtenIn);
      return isInAll(
        others.map(([, client]) => client),
        customerId,
      );
    },
  });
  const outage = createOutageMeter(() => performance.now());
  const startedMs = performance.now();

  const loss = createLoss(lost, options, () => {
    sampler.close();
    outage.begin();
  });
  const result = await writeThroughLoss(cluster, options, { loss, outage, sampler });
  await loss.untilBack();
  progress.say(`Waiting until ${lost.name} says that it has caught up.`);
  await lost.untilReady(READY_MS_MAX);

  progress.begin('Comparing all regions', result.written.acknowledged.size);
  const comparison = await untilEqual({
    written: result.written,
    clients: [...clients.values()],
    onProgress: (count) => progress.update(count),
  });
  progress.end();
  return {
    comparedIn: regions.map(({ name }) => name),
    written: result.written.acknowledged,
    kind: target.kind,
    writeMs: result.durationMs,
    notAcknowledged: result.notAcknowledged,
    comparison,
    totalMs: performance.now() - startedMs,
    lagsMs: await sampler.finish(SAMPLES_WAIT_MS_MAX),
    failOver: {
      lost: lost.name,
      outageMs: outage.longestMs(),
      failedRequests: result.failedRequests,
      retriedWrites: result.retriedWrites,
    },
  };
}

interface Course {
  readonly loss: Loss;
  readonly outage: OutageMeter;
  readonly sampler: LagSampler;
}

function writeThroughLoss<F extends DemoFields>(
  cluster: Cluster,
  options: RunOptions<F>,
  { loss, outage, sampler }: Course,
): Promise<WriteResult> {
  const { target } = options;
  const total = target.customers.length;
  return writeAll(options, {
    title: 'Writing',
    client: target.openFront(cluster),
    idsBy: 'client',
    onAcknowledged: ({ customerId, region, count }) => {
      sampler.acknowledged(customerId, region);
      outage.acknowledged();
      if (count >= total * LOST_AT) loss.begin();
      if (count >= total * BACK_AT) loss.end();
    },
  });
}

type Writing<F extends DemoFields> = { readonly title: string } & Pick<
  WriteOptions<F>,
  'client' | 'idsBy' | 'onAcknowledged'
>;

/** Shows how far it has come. */
async function writeAll<F extends DemoFields>(
  { target, concurrency, progress }: RunOptions<F>,
  { title, client, idsBy, onAcknowledged }: Writing<F>,
): Promise<WriteResult> {
  const { customers } = target;
  progress.begin(title, customers.length);
  const result = await writeCustomers({
    client,
    customers,
    concurrency,
    idsBy,
    onAcknowledged: (acknowledgement) => {
      progress.update(acknowledgement.count);
      onAcknowledged(acknowledgement);
    },
  });
  progress.end();
  return result;
}

interface Loss {
  begin(): void;
  end(): void;
  /** Resolves when the region runs again; begins and ends the loss when that has not been done. */
  untilBack(): Promise<void>;
}

function createLoss(
  region: Region,
  { progress }: Pick<RunOptions, 'progress'>,
  onBegin: () => void,
): Loss {
  let killed: Promise<void> | undefined;
  let back: Promise<void> | undefined;
  const begin = (): Promise<void> => {
    if (killed !== undefined) return killed;
    onBegin();
    killed = region.kill();
    progress.say(`The processes of ${region.name} were killed.`);
    return killed;
  };
  const end = (): Promise<void> => {
    back ??= begin()
      .then(() => {
        progress.say(`${region.name} is started again.`);
        return region.start();
      })
      .then(() => progress.say(`${region.name} runs again.`));
    // It is waited for when the writing is done; until then it must not count as unhandled.
    back.catch(() => undefined);
    return back;
  };
  return { begin: () => void begin(), end: () => void end(), untilBack: end };
}

/** Measures the longest time in which no write was acknowledged, once it has begun. */
interface OutageMeter {
  /** The fault happens now. */
  begin(): void;
  acknowledged(): void;
  /** Milliseconds; 0 before it has begun. */
  longestMs(): number;
}

export function createOutageMeter(nowMs: () => number): OutageMeter {
  let lastMs: number | undefined;
  let longestMs = 0;
  return {
    begin() {
      lastMs ??= nowMs();
    },
    acknowledged() {
      if (lastMs === undefined) return;
      const thisMs = nowMs();
      longestMs = Math.max(longestMs, thisMs - lastMs);
      lastMs = thisMs;
    },
    longestMs: () => longestMs,
  };
}

/** Is what is written, and whom it is written to. */
export interface Target<F extends DemoFields = DemoFields> {
  readonly kind: DemoReport['kind'];
  readonly customers: readonly DemoCustomer<F>[];
  prepare(regions: readonly Region[]): Promise<void>;
  open(region: Region): CustomerClient<F>;
  /** Opens what finds the region that serves. */
  openFront(cluster: Cluster): CustomerClient<F>;
}

export function customersTarget(
  customers: readonly DemoCustomer[],
): Target<CustomerFields> & Target {
  const open = (url: string): CustomerClient => createCustomerClient(url);
  const target: Target<CustomerFields> = {
    kind: 'customers',
    customers,
    prepare: async () => undefined,
    open: ({ addresses }) => open(addresses.api),
    openFront: ({ trafficManagerUrl }) => open(trafficManagerUrl),
  };
  return target;
}

/** Returns the same for transactions of orders in a table, through the Table endpoints. */
export function ordersTarget(
  table: string,
  customers: readonly DemoCustomer<DemoFields>[],
): Target {
  const open = (regions: readonly Region[]): CustomerClient<DemoFields> =>
    createOrderClient(
      table,
      regions.map(({ name, addresses }) => ({ name, connection: addresses.tableEndpoint })),
    );
  return {
    kind: 'orders',
    customers,
    prepare: (regions) =>
      createOrderTable(
        table,
        regions.map(({ addresses }) => addresses.tableEndpoint),
      ),
    open: (region) => open([region]),
    openFront: ({ regions }) => open(regions),
  };
}
