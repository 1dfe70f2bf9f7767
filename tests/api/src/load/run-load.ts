import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createApiClient } from '@tandem/customer-client';
import { createMemoryMeter, type MemoryReport } from '../run/memory-meter.ts';
import type { OneRegion } from '../run/start-one-region.ts';
import { createGoodClient } from './good-client.ts';
import { createHostileClient } from './hostile-client.ts';

export interface LoadOptions {
  readonly region: OneRegion;
  readonly connections: number;
  readonly seconds: number;
  /** Of 100 requests, so many are hostile. */
  readonly hostilePercent: number;
  readonly onProgress?: (secondsLeft: number) => void;
}

export interface LoadReport {
  /** Good requests that were answered with success. */
  readonly good: number;
  /** Good requests that were told to come back later, by 429 or 503 with Retry-After. */
  readonly shed: number;
  /** Good requests that were answered in any other way, or not. */
  readonly errors: number;
  readonly hostile: number;
  readonly crashes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly findings: readonly string[];
  readonly memory: MemoryReport | undefined;
}

/** A client gives up later than any answer may take on a busy machine. */
const REQUEST_MS_MAX = 60_000;
const FINDINGS_MAX = 20;
const SAMPLE_MS = 1_000;
const S = 1_000;

/** As many clients as connections, each with one request at a time, as fast as they are answered. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const { region, connections, hostilePercent } = options;
  const agent = new Agent({ keepAlive: true });
  const api = createApiClient({ baseUrl: region.url, timeoutMs: REQUEST_MS_MAX });
  const attack = createHostileClient({ port: region.port, agent, seed: 1 });
  const endMs = performance.now() + options.seconds * S;
  const isOver = (): boolean => performance.now() >= endMs || region.crashes.length > 0;
  const counts = { good: 0, shed: 0, errors: 0, hostile: 0 };
  const latenciesMs: number[] = [];
  const findings: string[] = [];

  const beGood = async (): Promise<void> => {
    const ask = createGoodClient(api);
    while (!isOver()) {
      const startMs = performance.now();
      const answer = await ask();
      if (answer.kind === 'done') {
        counts.good += 1;
        latenciesMs.push(performance.now() - startMs);
      } else if (answer.kind === 'shed') {
        counts.shed += 1;
        await delay(Math.min(answer.retryAfterS * S, Math.max(0, endMs - performance.now())));
      } else {
        counts.errors += 1;
        if (findings.length < FINDINGS_MAX) findings.push(answer.what);
      }
    }
  };
  const isBeyondShare = (): boolean =>
    counts.hostile * (100 - hostilePercent) > (counts.good + counts.shed) * hostilePercent;
  const beHostile = async (): Promise<void> => {
    while (!isOver()) {
      await attack();
      counts.hostile += 1;
      // Many of them are refused at once: without this they would be more than their share.
      while (isBeyondShare() && !isOver()) await delay(SAMPLE_MS / 20);
    }
  };

  const memory = createMemoryMeter(region.pid);
  const meter = setInterval(() => {
    memory.sample();
    options.onProgress?.(Math.max(0, Math.round((endMs - performance.now()) / S)));
  }, SAMPLE_MS);
  // An attack takes longer than what it is counted against, and keeps to its share anyway.
  const attackers = Math.ceil((connections * hostilePercent * 2) / 100);
  const clients = Array.from({ length: connections }, (_, client) =>
    client < attackers ? beHostile() : beGood(),
  );
  await Promise.all(clients);
  clearInterval(meter);
  agent.destroy();
  latenciesMs.sort((left, right) => left - right);
  return {
    ...counts,
    crashes: region.crashes.length,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    findings: [...findings, ...region.crashes],
    memory: memory.report(),
  };
}

function percentile(sorted: readonly number[], part: number): number {
  return Math.round(sorted[Math.floor(sorted.length * part)] ?? 0);
}
