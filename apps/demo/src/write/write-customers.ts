import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { CustomerClient, WriteAnswer } from '../api/customer-client.ts';
import type { WrittenCustomers } from '../compare/compare-customers.ts';
import type { DemoCustomer, DemoFields } from '../customers/make-customers.ts';

const REASONS_KEPT_MAX = 5;

interface Acknowledgement {
  readonly customerId: string;
  /** The region that acknowledged. */
  readonly region: string;
  /** How many there are with this one. */
  readonly count: number;
}

export interface WriteOptions<F extends DemoFields = DemoFields> {
  readonly client: CustomerClient<F>;
  readonly customers: readonly DemoCustomer<F>[];
  readonly concurrency: number;
  /**
   * Who gives an id to a customer that has none: the API (a POST, which is not repeated), or this
   * side (a PUT, which can be repeated without making two customers).
   */
  readonly idsBy: 'api' | 'client';
  readonly onAcknowledged: (acknowledgement: Acknowledgement) => void;
}

export interface WriteResult {
  readonly written: WrittenCustomers;
  readonly notAcknowledged: { readonly count: number; readonly reasons: readonly string[] };
  readonly failedRequests: number;
  readonly retriedWrites: number;
  readonly durationMs: number;
}

/** Writes all customers, `concurrency` at a time. */
export async function writeCustomers<F extends DemoFields>(
  options: WriteOptions<F>,
): Promise<WriteResult> {
  const { customers, concurrency, onAcknowledged } = options;
  const acknowledged = new Map<string, DemoFields>();
  const unanswered = new Set<string>();
  const reasons = new Set<string>();
  const counts = { notAcknowledged: 0, failedRequests: 0, retriedWrites: 0 };
  const startedMs = performance.now();

  const writeOne = async (customer: DemoCustomer<F>): Promise<void> => {
    const { id, answer, failedRequests } = await sendCustomer(customer, options);
    counts.failedRequests += failedRequests;
    if (failedRequests > 0 && answer.kind === 'acknowledged') counts.retriedWrites += 1;
    if (answer.kind === 'acknowledged') {
      acknowledged.set(answer.customerId, customer.fields);
      const { customerId, region } = answer;
      onAcknowledged({ customerId, region, count: acknowledged.size });
      return;
    }
    counts.notAcknowledged += 1;
    if (reasons.size < REASONS_KEPT_MAX) reasons.add(answer.reason);
    if (answer.kind === 'unanswered' && id !== null) unanswered.add(id);
  };

  const remaining = customers.values();
  const work = async (): Promise<void> => {
    // All workers take from one iterator, so each customer is taken once.
    for (const customer of remaining) await writeOne(customer);
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return {
    written: { acknowledged, unanswered },
    notAcknowledged: { count: counts.notAcknowledged, reasons: [...reasons] },
    failedRequests: counts.failedRequests,
    retriedWrites: counts.retriedWrites,
    durationMs: performance.now() - startedMs,
  };
}

async function sendCustomer<F extends DemoFields>(
  { customerId, fields }: DemoCustomer<F>,
  { client, idsBy }: WriteOptions<F>,
): Promise<RetriedAnswer & { readonly id: string | null }> {
  const id = customerId ?? (idsBy === 'client' ? randomUUID() : null);
  if (id !== null) return { id, ...(await writeUntilAnswered(() => client.put(id, fields))) };
  const answer = await client.post(fields);
  return { id, answer, failedRequests: answer.kind === 'unanswered' ? 1 : 0 };
}

/** Is longer than any fail-over. */
const TRY_MS_MAX = 120_000;
const DELAY_MS_FIRST = 50;
const DELAY_MS_MAX = 1_000;

interface RetriedAnswer {
  readonly answer: WriteAnswer;
  /** Requests that got no answer, or one that says to try again. */
  readonly failedRequests: number;
}

/**
 * Repeats a request that may be repeated (the same PUT twice makes one customer) until it has an
 * answer that stands, or for two minutes.
 */
async function writeUntilAnswered(send: () => Promise<WriteAnswer>): Promise<RetriedAnswer> {
  const deadlineMs = performance.now() + TRY_MS_MAX;
  for (let failedRequests = 0; ; failedRequests += 1) {
    const answer = await send();
    if (answer.kind !== 'unanswered') return { answer, failedRequests };
    if (performance.now() > deadlineMs) return { answer, failedRequests: failedRequests + 1 };
    await delay(Math.min(DELAY_MS_FIRST * 2 ** failedRequests, DELAY_MS_MAX));
  }
}
