import { setTimeout as delay } from 'node:timers/promises';
import type { WriteAnswer } from '../api/customer-client.ts';

/** Longer than any fail-over. */
const TRY_MS_MAX = 120_000;
const DELAY_MS_FIRST = 50;
const DELAY_MS_MAX = 1_000;

export interface RetriedAnswer {
  readonly answer: WriteAnswer;
  /** Requests that got no answer, or one that says to try again. */
  readonly failedRequests: number;
}

/**
 * Repeats a request that may be repeated (the same PUT twice makes one customer) until it has an
 * answer that stands, or for two minutes.
 */
export async function writeUntilAnswered(send: () => Promise<WriteAnswer>): Promise<RetriedAnswer> {
  const deadlineMs = performance.now() + TRY_MS_MAX;
  for (let failedRequests = 0; ; failedRequests += 1) {
    const answer = await send();
    if (answer.kind !== 'unanswered') return { answer, failedRequests };
    if (performance.now() > deadlineMs) return { answer, failedRequests: failedRequests + 1 };
    await delay(Math.min(DELAY_MS_FIRST * 2 ** failedRequests, DELAY_MS_MAX));
  }
}
