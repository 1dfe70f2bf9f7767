import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectNothingLost, untilEqual } from './compare-regions.ts';
import { send, until } from './customers-client.ts';
import type { E2eCluster } from './harness/e2e-cluster.ts';
import { startCluster } from './harness/start-cluster.ts';
import { type LoadReport, startLoad } from './load/constant-load.ts';
import { RATE_PER_SECOND, SETTLE_MS } from './load/load-settings.ts';
import { say } from './say.ts';

let cluster: E2eCluster;

beforeAll(async () => {
  cluster = await startCluster();
});

afterAll(() => cluster?.stop());

function describeLoad({ sent, acknowledged, failed, outageMsMax, ratePerSecond }: LoadReport) {
  return (
    `${sent} sent at ${ratePerSecond}/s, ${acknowledged} acknowledged, ${failed} failed, ` +
    `longest outage for clients ${outageMsMax} ms`
  );
}

/** Waits until the traffic manager sends requests to this region. */
async function untilServing(region: string): Promise<void> {
  await until(`requests served by ${region}`, async () => {
    const answer = await send(`${cluster.trafficManagerUrl}/customers?limit=1`, 'GET');
    return answer.region === region ? true : undefined;
  });
}

test('I1, I6: a region is lost under load and returns: nothing acknowledged is lost', async () => {
  const east = cluster.region('east');
  await untilServing('east');
  const load = startLoad(cluster.trafficManagerUrl, RATE_PER_SECOND);
  await delay(SETTLE_MS);
  await east.kill();
  await untilServing('west');
  await delay(SETTLE_MS);
  await east.start();
  await east.untilReady();
  await untilServing('east');
  await delay(SETTLE_MS);
  const report = await load.stop();

  const found = await untilEqual(cluster);
  expectNothingLost(found, load.acknowledged, load.unknown);
  expect(report.acknowledged).toBeGreaterThan(0);
  say(`a region lost and returned (${cluster.backend}): ${describeLoad(report)}`);
});

test('an API that is told to stop under load answers what it has taken, then stops', async () => {
  const east = cluster.region('east');
  await untilServing('east');
  const load = startLoad(cluster.trafficManagerUrl, RATE_PER_SECOND);
  await delay(SETTLE_MS);
  expect(await east.api.stop()).toBe('stopped');
  await untilServing('west');
  await east.api.start();
  await east.untilReady();
  await untilServing('east');
  const report = await load.stop();

  const found = await untilEqual(cluster);
  expectNothingLost(found, load.acknowledged, load.unknown);
  say(`an API drained and started again (${cluster.backend}): ${describeLoad(report)}`);
});
