import type { Cluster, Region } from '@tandem/local-cluster';
import { untilEqual } from '../compare/compare-customers.ts';
import type { DemoFields } from '../customers/make-customers.ts';
import { createLagSampler, type LagSampler } from '../lag/lag-sampler.ts';
import type { DemoReport } from '../report/demo-report.ts';
import { type WriteResult, writeCustomers } from '../write/write-customers.ts';
import { isInAll, type RunOptions, regionsOf, SAMPLES_WAIT_MS_MAX } from './run-plain.ts';

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

async function writeThroughLoss<F extends DemoFields>(
  cluster: Cluster,
  { target, concurrency, progress }: RunOptions<F>,
  { loss, outage, sampler }: Course,
): Promise<WriteResult> {
  const { customers } = target;
  progress.begin('Writing', customers.length);
  const result = await writeCustomers({
    client: target.openFront(cluster),
    customers,
    concurrency,
    idsBy: 'client',
    onAcknowledged: ({ customerId, region, count }) => {
      sampler.acknowledged(customerId, region);
      outage.acknowledged();
      progress.update(count);
      if (count >= customers.length * LOST_AT) loss.begin();
      if (count >= customers.length * BACK_AT) loss.end();
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
