import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, test } from 'vitest';
import { expectNothingLost, untilEqual } from './compare-regions.ts';
import { send, until } from './customers-client.ts';
import type { E2eCluster } from './harness/e2e-cluster.ts';
import { startCluster } from './harness/start-cluster.ts';
import { startLoad } from './load/constant-load.ts';
import { RATE_PER_SECOND, SETTLE_MS } from './load/load-settings.ts';
import { say } from './say.ts';

let cluster: E2eCluster;

beforeAll(async () => {
  cluster = await startCluster({ startsAtPreviousVersion: true });
});

afterAll(() => cluster?.stop());

async function switchEndpoint(region: string, action: 'disable' | 'enable'): Promise<void> {
  const url = `${cluster.trafficManagerUrl}/_traffic-manager/endpoints/${region}/${action}`;
  await until(`the traffic manager to ${action} ${region}`, async () => {
    const { status } = await send(url, 'POST');
    return status === 200 ? true : undefined;
  });
}

/** A region that is out of the profile must not be missed: the others are up by its own probes. */
async function untilAllOnline(): Promise<void> {
  await until('every endpoint online', async () => {
    const { body } = await send(`${cluster.trafficManagerUrl}/_traffic-manager/status`, 'GET');
    const endpoints = body['endpoints'] as readonly { readonly state: string }[];
    return endpoints.every(({ state }) => state === 'online') ? true : undefined;
  });
}

// The order of docs/runbooks: take the region out of the profile, upgrade it, put it back when it
// is ready; then the next one. The old and the new version replicate to each other meanwhile.
test('I1: a rolling upgrade under load: nothing acknowledged is lost', async () => {
  await untilAllOnline();
  const load = startLoad(cluster.trafficManagerUrl, RATE_PER_SECOND);
  await delay(SETTLE_MS);
  for (const region of cluster.regions) {
    await switchEndpoint(region.name, 'disable');
    await cluster.upgrade(region);
    await switchEndpoint(region.name, 'enable');
    await untilAllOnline();
    await delay(SETTLE_MS);
  }
  const report = await load.stop();

  const found = await untilEqual(cluster);
  expectNothingLost(found, load.acknowledged, load.unknown);
  say(
    `a rolling upgrade (${cluster.backend}): ${report.sent} sent at ${report.ratePerSecond}/s, ` +
      `${report.failed} failed, longest outage for clients ${report.outageMsMax} ms`,
  );
});
