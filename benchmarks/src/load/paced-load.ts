import { bucketOf, encodeVector, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { customerId, customerOf } from './customers.ts';
import type { LoadCommand } from './load-command.ts';
import type { ReplicatedLoad } from './replicated-load.ts';
import type { LoadResult } from './run-writers.ts';

/** One write of so many is looked for in the other region: looking costs too. */
const SAMPLED_EVERY_MS = 100;
const LOOK_EVERY_MS = 2;
const LOOKS_MAX = 5_000;
const TICK_MS = 5;
/** Whoever is so far behind is given no more; what is not begun counts as failed. */
const PENDING_MAX = 4_000;

const pause = (durationMs: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });

export interface PacedResult extends LoadResult {
  readonly lagsMs: readonly number[];
  /** Writes that ended in an error, or could not even begin. */
  readonly failures: number;
}

export interface PacedOptions extends Pick<ReplicatedLoad, 'peerStore'> {
  /**
   * Writes a customer as it was never before, also by an earlier command: what changes nothing is not sent, and would seem to be
   * there at once.
   */
  readonly put: (customer: number) => ReturnType<ReplicatedLoad['table']['put']>;
  readonly bucketCount: number;
}

/** Writes at a given rate, whether or not the earlier writes have been answered. */
export async function runPaced(
  { writesPerSecond = 100, durationMs, customers }: LoadCommand,
  { put, peerStore, bucketCount }: PacedOptions,
): Promise<PacedResult> {
  const startedMs = performance.now();
  const latenciesMs: number[] = [];
  const lagsMs: number[] = [];
  const pending = new Set<Promise<void>>();
  let begun = 0;
  let failures = 0;
  let sampledMs = startedMs;

  const untilThere = async (id: string, version: string): Promise<void> => {
    const acknowledgedMs = performance.now();
    for (let look = 0; look < LOOKS_MAX; look += 1) {
      const row = await peerStore
        .get(customerKind.name, bucketOf(id, bucketCount), id)
        .catch((error: unknown) => {
          // The write is done; a look that failed is one that saw nothing yet.
          if (error instanceof TransientError) return undefined;
          throw error;
        });
      const vector = row?.properties.get('_vector');
      if (vector?.type === 'String' && vector.value >= version) break;
      await pause(LOOK_EVERY_MS);
    }
    lagsMs.push(performance.now() - acknowledgedMs);
  };

  const writeOne = async (nth: number): Promise<void> => {
    const customer = customerOf(nth, customers);
    const id = customerId(customer);
    const beganMs = performance.now();
    const outcome = await put(customer);
    latenciesMs.push(performance.now() - beganMs);
    if (beganMs - sampledMs < SAMPLED_EVERY_MS || !('record' in outcome)) return;
    sampledMs = beganMs;
    if (outcome.record !== undefined) await untilThere(id, encodeVector(outcome.record.version));
  };

  while (performance.now() - startedMs < durationMs) {
    const due = ((performance.now() - startedMs) * writesPerSecond) / 1_000;
    for (; begun < due; begun += 1) {
      if (pending.size >= PENDING_MAX) {
        failures += 1;
        continue;
      }
      const writing: Promise<void> = writeOne(begun + 1)
        .catch((error: unknown) => {
          failures += 1;
          process.emitWarning(String(error));
        })
        .finally(() => pending.delete(writing));
      pending.add(writing);
    }
    await pause(TICK_MS);
  }
  await Promise.all(pending);
  const elapsedMs = performance.now() - startedMs;
  latenciesMs.sort((a, b) => a - b);
  lagsMs.sort((a, b) => a - b);
  return { writes: begun - failures, elapsedMs, latenciesMs, lagsMs, failures };
}
