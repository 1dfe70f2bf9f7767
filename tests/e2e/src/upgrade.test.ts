import { setTimeout as delay } from 'node:timers/promises';
import { PROBING_FAST, type Region } from '@tandem/local-cluster';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectNothingLost, untilEqual } from './compare-regions.ts';
import { send, until } from './customers-client.ts';
import type { E2eCluster } from './harness/e2e-cluster.ts';
import { startCluster } from './harness/start-cluster.ts';
import { ASKED_TO_WAIT, startLoad } from './load/constant-load.ts';
import { RATE_PER_SECOND, SETTLE_MS } from './load/load-settings.ts';
import { runTandem, type TandemRun } from './recovery/run-tandem.ts';
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

/** What stands between two regions: see docs/runbooks/upgrade.md, with shorter times. */
function gate(soak: string, within: string): Promise<TandemRun> {
  return runTandem(cluster, 'gate', '--soak', soak, '--within', within, '--every', '500ms');
}

async function passGate(after: string): Promise<void> {
  const { code, json, err } = await gate('3s', '120s');
  expect({ after, code, json, err }).toMatchObject({ code: 0, json: { passed: true } });
}

/** Out of the profile until its clients have asked anew where to go, another version, and back when it is ready. */
async function replace(region: Region, how: 'upgrade' | 'rollBack'): Promise<void> {
  await switchEndpoint(region.name, 'disable');
  await delay(2 * PROBING_FAST.ttlMs);
  await cluster[how](region);
  await switchEndpoint(region.name, 'enable');
  await untilAllOnline();
  await passGate(`${how} of ${region.name}`);
}

// The last priority first: clients are elsewhere. The old and the new version replicate to each other meanwhile.
describe('a rolling upgrade, region by region behind a gate', () => {
  const steps = [
    ['upgrade', 'to this version'],
    ['rollBack', 'and back to the one before it'],
  ] as const;

  test.each(steps)(
    'I1, I6: %s under load, %s: nothing acknowledged is lost, nobody is refused but to wait',
    async (how) => {
      await untilAllOnline();
      await passGate('the start');
      const load = startLoad(cluster.trafficManagerUrl, RATE_PER_SECOND);
      await delay(SETTLE_MS);
      for (const region of cluster.regions.toReversed()) {
        await replace(region, how);
        await delay(SETTLE_MS);
      }
      const report = await load.stop();

      const found = await untilEqual(cluster);
      expectNothingLost(found, load.acknowledged, load.unknown);
      say(
        `${how} (${cluster.backend}): ${report.sent} sent at ${report.ratePerSecond}/s, ${report.acknowledged} ` +
          `acknowledged, failed ${JSON.stringify(Object.fromEntries(report.failures))}, longest outage for clients ` +
          `${report.outageMsMax} ms`,
      );
      expect(report.acknowledged).toBeGreaterThan(0);
      expect([...report.failures.keys()].filter((failure) => failure !== ASKED_TO_WAIT)).toEqual(
        [],
      );
    },
  );

  test('stops at the gate where the region is not well, until it was taken back', async () => {
    const west = cluster.region('west');
    await cluster.upgrade(west);
    await west.replicator.stop();
    // Longer than a replicator may be silent.
    const shut = await gate('20s', '30s');
    expect(shut).toMatchObject({ code: 3, json: { passed: false } });
    expect(JSON.stringify(shut.json['lastBreak'])).toContain('west');
    await cluster.rollBack(west);
    await passGate('west was taken back');
  });
});
