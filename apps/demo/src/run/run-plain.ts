import type { Cluster, Region } from '@tandem/local-cluster';
import type { CustomerClient } from '../api/customer-client.ts';
import { untilEqual } from '../compare/compare-customers.ts';
import type { DemoFields } from '../customers/make-customers.ts';
import { createLagSampler } from '../lag/lag-sampler.ts';
import type { DemoReport } from '../report/demo-report.ts';
import type { Progress } from '../report/progress.ts';
import { writeCustomers } from '../write/write-customers.ts';
import type { Target } from './targets.ts';

/** Writes in the first region and compares in all others. */
export async function runPlain<F extends DemoFields>(
  cluster: Cluster,
  options: RunOptions<F>,
): Promise<DemoReport> {
  const { target, concurrency, progress } = options;
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

  progress.begin(`Writing in ${home.name}`, customers.length);
  const result = await writeCustomers({
    client: target.open(home),
    customers,
    concurrency,
    idsBy: 'api',
    onAcknowledged: ({ customerId, region, count }) => {
      sampler.acknowledged(customerId, region);
      progress.update(count);
    },
  });
  progress.end();

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
export const SAMPLES_WAIT_MS_MAX = 5_000;

/** Returns them all, the one that is written to, or lost, first. */
export function regionsOf({ regions }: Cluster): readonly [Region, ...Region[]] {
  const [home, ...others] = regions;
  if (home === undefined || others.length === 0) throw new Error('The demo needs two regions.');
  return [home, ...others];
}

export async function isInAll(
  clients: readonly Pick<CustomerClient, 'has'>[],
  customerId: string,
): Promise<boolean> {
  const found = await Promise.all(clients.map((client) => client.has(customerId)));
  return found.every(Boolean);
}
