import { setTimeout as delay } from 'node:timers/promises';
import { LocalClusterError } from '../local-cluster-error.ts';

const POLL_INTERVAL_MS = 100;
const POLL_TIMEOUT_MS = 5_000;
const ANSWER_LENGTH_MAX = 500;

export interface UntilHealthyOptions {
  /** For the error: `API of east`. */
  readonly name: string;
  readonly url: string;
  readonly waitMsMax: number;
  readonly signal?: AbortSignal | undefined;
}

/** Resolves on the first 200; rejects with NOT_READY and the last answer when there is none in time. */
export async function untilHealthy(options: UntilHealthyOptions): Promise<void> {
  const { name, url, waitMsMax, signal } = options;
  const deadlineMs = performance.now() + waitMsMax;
  let last = 'nothing was answered';
  while (performance.now() < deadlineMs) {
    signal?.throwIfAborted();
    const answer = await ask(url);
    if (answer.isHealthy) return;
    last = answer.text;
    await delay(POLL_INTERVAL_MS);
  }
  throw new LocalClusterError(
    'NOT_READY',
    `The ${name} was not ready in ${waitMsMax} ms. The last answer of ${url}: ${last}`,
  );
}

async function ask(url: string): Promise<{ isHealthy: boolean; text: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(POLL_TIMEOUT_MS) });
    const text = (await response.text()).slice(0, ANSWER_LENGTH_MAX);
    return { isHealthy: response.status === 200, text: `${response.status} ${text}` };
  } catch (error) {
    // Refused, reset or timed out: whatever it is, it is the answer that is quoted in the end.
    return { isHealthy: false, text: describe(error) };
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
