import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type CustomerApi, createApiClient, eachCustomer } from '@tandem/customer-client';
import type { Cluster } from '@tandem/local-cluster';
import { type Created, type Creation, createUntilAnswered } from './create-until-answered.ts';

export interface RetryOptions {
  readonly kills: number;
  /** Clients that write while a region is killed under them. */
  readonly clients: number;
  readonly onProgress?: (kills: number) => void;
}

export interface RetryReport {
  /** Creations that had their region killed. */
  readonly times: number;
  /** Of them, those that are exactly one customer, the same in every region. */
  readonly exactlyOne: number;
  readonly tries: number;
  /** What is wrong, a line each. */
  readonly findings: readonly string[];
}

const REQUEST_MS_MAX = 5_000;
/** The region goes as soon as one in so many clients has its first answer. */
const ANSWERED_SHARE = 3;
const SETTLE_MS_MAX = 120_000;
const READY_MS_MAX = 180_000;
const POLL_MS = 500;

/**
 * Kills the region that is written to, again and again, while clients create a customer each through the
 * stand-in for Traffic Manager; then counts the customers of every region.
 */
export async function runRetries(cluster: Cluster, options: RetryOptions): Promise<RetryReport> {
  const front = createApiClient({ baseUrl: cluster.trafficManagerUrl, timeoutMs: REQUEST_MS_MAX });
  const created = new Map<string, Created>();
  for (let kill = 0; kill < options.kills; kill += 1) {
    const outcomes = await killUnder(cluster, front, creationsOf(kill, options.clients));
    for (const [email, outcome] of outcomes) created.set(email, outcome);
    options.onProgress?.(kill + 1);
  }
  const findings = await untilRight(cluster, created);
  return {
    times: created.size,
    exactlyOne: created.size - new Set(findings.map(({ email }) => email)).size,
    tries: [...created.values()].reduce((sum, { tries }) => sum + tries, 0),
    findings: findings.map(({ email, what }) => `${email}: ${what}`),
  };
}

function creationsOf(kill: number, clients: number): Creation[] {
  const own = randomUUID().slice(0, 8);
  return Array.from({ length: clients }, (_, client) => ({
    key: randomUUID(),
    email: `kill${kill}.client${client}.${own}@example.com`,
  }));
}

async function killUnder(
  cluster: Cluster,
  front: CustomerApi,
  creations: readonly Creation[],
): Promise<[string, Created][]> {
  const [region] = cluster.regions;
  if (region === undefined) throw new Error('The cluster has no region.');
  let isKilled = false;
  const answered = new Set<string>();
  const isOver = (): boolean => isKilled;
  const running = creations.map(async (creation): Promise<[string, Created]> => {
    const onAnswer = (): void => void answered.add(creation.key);
    return [creation.email, await createUntilAnswered(front, creation, { isOver, onAnswer })];
  });
  // Some are answered then, some committed and not answered, some not committed.
  const endMs = Date.now() + READY_MS_MAX;
  while (answered.size * ANSWERED_SHARE < creations.length && Date.now() < endMs) await delay(1);
  await region.kill();
  isKilled = true;
  const outcomes = await Promise.all(running);
  await region.start();
  await region.untilReady(READY_MS_MAX);
  await untilServing(cluster, region.name);
  return outcomes;
}

/** Until the stand-in sends to the region again, so that the next kill hits those who write. */
async function untilServing(cluster: Cluster, region: string): Promise<void> {
  const endMs = Date.now() + READY_MS_MAX;
  while (Date.now() < endMs) {
    const response = await fetch(`${cluster.trafficManagerUrl}/health/live`);
    await response.arrayBuffer();
    if (response.headers.get('x-tandem-region') === region) return;
    await delay(POLL_MS);
  }
  throw new Error(`The stand-in does not send to ${region} again.`);
}

interface Finding {
  readonly email: string;
  readonly what: string;
}

/** What is still wrong when the regions have had their time to become equal. */
async function untilRight(
  cluster: Cluster,
  created: ReadonlyMap<string, Created>,
): Promise<Finding[]> {
  const endMs = Date.now() + SETTLE_MS_MAX;
  for (;;) {
    const perRegion = await Promise.all(
      cluster.regions.map(async ({ name, addresses }) => {
        const ids = await idsByEmail(addresses.api);
        return [...created].flatMap(([email, one]) => judge(email, one, { name, ids }));
      }),
    );
    const findings = perRegion.flat();
    if (findings.length === 0 || Date.now() > endMs) return findings;
    await delay(POLL_MS);
  }
}

async function idsByEmail(url: string): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for await (const { customerId, email } of eachCustomer(createApiClient({ baseUrl: url }))) {
    found.set(email ?? '', [...(found.get(email ?? '') ?? []), customerId]);
  }
  return found;
}

interface RegionIds {
  readonly name: string;
  readonly ids: ReadonlyMap<string, readonly string[]>;
}

function judge(email: string, { ids }: Created, region: RegionIds): Finding[] {
  const there = region.ids.get(email) ?? [];
  const told = [...ids];
  if (there.length === 1 && told.length === 1 && there[0] === told[0]) return [];
  const what = `${there.length} customers in ${region.name} (${there.join(', ')})`;
  return [{ email, what: `${what}, and answers named ${told.join(', ')}` }];
}
