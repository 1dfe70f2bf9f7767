import { type Cluster, startCluster } from '@tandem/local-cluster';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { PROBING } from './harness/probing.ts';
import { runTandem, type TandemRun } from './harness/run-tandem.ts';
import { until } from './harness/until.ts';

interface Ready {
  readonly reasons: readonly { readonly kind: string }[];
}

interface TrafficStatus {
  readonly current: string | null;
  readonly decision: string;
}

const readyOf = async (cluster: Cluster, region: string): Promise<Ready> =>
  (await (await fetch(`${cluster.region(region).addresses.api}/health/ready`)).json()) as Ready;

async function untilOut(cluster: Cluster, region: string): Promise<void> {
  await until(`${region} is out`, async () => {
    const { reasons } = await readyOf(cluster, region);
    return reasons.some(({ kind }) => kind === 'out-for-drill') ? true : undefined;
  });
}

async function untilServing(cluster: Cluster, decision: string, region: string): Promise<void> {
  const url = `${cluster.trafficManagerUrl}/_traffic-manager/status`;
  await until(`${decision}, ${region}`, async () => {
    const status = (await (await fetch(url)).json()) as TrafficStatus;
    return status.decision === decision && status.current === region ? true : undefined;
  });
}

const drillEast = (cluster: Cluster, ...args: readonly string[]): Promise<TandemRun> =>
  runTandem(cluster, 'drill', '--region', 'east', '--for-real', ...args);

describe('tandem drill --region east', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ probing: PROBING });
    await untilServing(cluster, 'online', 'east');
  });

  afterAll(() => cluster?.stop());

  test('follows a status in which all is well, and a prediction', async () => {
    const status = await until('a status with both clocks', async () => {
      const run = await runTandem(cluster, 'status');
      return run.code === 0 && !run.output.includes('"clockOffsetMs":null') ? run : undefined;
    });
    const inbound = { waiting: expect.any(Number), deadLettered: 0 };
    const region = { ready: true, inbound, conflicts: 0, clockOffsetMs: expect.any(Number) };
    expect(status.json['regions']).toMatchObject([
      { region: 'east', ...region, directions: [{ peer: 'west', lagMs: expect.any(Number) }] },
      { region: 'west', ...region, directions: [{ peer: 'east', lagMs: expect.any(Number) }] },
    ]);
    const whatIf = await runTandem(cluster, 'drill', '--region', 'east');
    expect(whatIf.code, whatIf.output).toBe(0);
    expect(whatIf.json).toMatchObject({
      forReal: false,
      prediction: { successor: 'west', lostChanges: 0, failOver: { worstMs: 6_200 } },
    });
  });

  test('takes east out for real: fail-over within the bounds, and nothing stale on return', async () => {
    const run = await drillEast(cluster, '--away', '1s');
    expect(run.code, run.output).toBe(0);
    expect(run.json).toMatchObject({
      region: 'east',
      successor: 'west',
      bounds: { soonestMs: 600, formulaMs: 900, worstMs: 6_200 },
      isWithinBounds: true,
      catchUpMs: expect.any(Number),
      failBackMs: expect.any(Number),
      counts: { stale: 0 },
    });
    await untilServing(cluster, 'online', 'east');
  });

  test('I14: east takes no traffic while it cannot catch up, and tandem status says why', async () => {
    const drilling = drillEast(cluster, '--away', '10s', '--return', '3s', '--no-version');
    await untilOut(cluster, 'east');
    // What west writes from now on does not arrive.
    await cluster.region('east').broker.kill();
    const run = await drilling;
    expect(run.code, run.output).toBe(3);
    expect(run.json).toMatchObject({ counts: { stale: 0 } });
    expect(run.json['failBackMs']).toBeUndefined();
    const status = await runTandem(cluster, 'status');
    expect(status.code).toBe(3);
    expect(status.json['regions']).toMatchObject([{ region: 'east', ready: false }, {}]);
    await cluster.region('east').broker.start();
    await untilServing(cluster, 'online', 'east');
  });

  test('both regions serve on when replicators are dead everywhere', async () => {
    const replicators = cluster.regions.map(({ replicator }) => replicator);
    await Promise.all(replicators.map((replicator) => replicator.kill()));
    await untilServing(cluster, 'all-degraded', 'east');
    for (const { addresses } of cluster.regions) {
      expect((await fetch(`${addresses.api}/health/ready`)).status).toBe(503);
      expect((await fetch(`${addresses.api}/health/serving`)).status).toBe(200);
    }
    const customer = { method: 'POST', body: JSON.stringify({ email: 'ada@example.com' }) };
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${cluster.trafficManagerUrl}/customers`, {
      ...customer,
      headers,
    });
    expect(response.status).toBe(201);
    await Promise.all(replicators.map((replicator) => replicator.start()));
    await untilServing(cluster, 'online', 'east');
  });
});

// The proof that the check above can fail: the same drill where nothing holds the region back.
test('an early fail-back, the gate switched off, shows stale reads', async () => {
  const cluster = await startCluster({
    probing: PROBING,
    settings: { 'Readiness.WaitMsMax': '0', 'Readiness.LagMsMax': '86400000' },
  });
  onTestFinished(() => cluster.stop());
  await untilServing(cluster, 'online', 'east');
  const drilling = drillEast(cluster, '--away', '5s', '--return', '60s', '--no-version');
  await untilOut(cluster, 'east');
  // What west writes from now on does not arrive; nothing but the gate would hold east back.
  await cluster.region('east').broker.kill();
  const run = await drilling;
  expect(run.code, run.output).toBe(3);
  expect(run.json['failBackMs'], run.output).toEqual(expect.any(Number));
  const { stale } = run.json['counts'] as { stale: number };
  expect(stale).toBeGreaterThan(0);
});
