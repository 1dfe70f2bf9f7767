import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/** How long a client waits for an answer: longer than a service takes at most, so that it is the service that says no. */
const REQUEST_MS_MAX = 15_000;
const TICK_MS = 25;
/** More than this many unanswered at once and no further ones are sent: they count as failed. */
const IN_FLIGHT_MAX = 500;
/** Every third write is to a customer that was written before. */
const REWRITE_EVERY = 3;

export interface LoadReport {
  readonly sent: number;
  readonly acknowledged: number;
  readonly failed: number;
  /** What became of those that failed, and of how many: a status, or that nothing came. */
  readonly failures: ReadonlyMap<string, number>;
  /** From the first failure of a row of them to the next success: the longest such time. */
  readonly outageMsMax: number;
  readonly ratePerSecond: number;
}

/** Is the one failure that a client is promised: it is told that nothing was decided, and when to try again. */
export const ASKED_TO_WAIT = '503 with Retry-After';

export interface ConstantLoad {
  /** By id: the last acknowledged e-mail of a customer with no unanswered write after it. */
  readonly acknowledged: ReadonlyMap<string, string>;
  /** Ids of customers whose last write got no answer: either state is right. */
  readonly unknown: ReadonlySet<string>;
  stop(): Promise<LoadReport>;
}

/** Writes at a constant rate, whatever becomes of the writes before: PUTs, each with its own id. */
export function startLoad(url: string, ratePerSecond: number): ConstantLoad {
  const acknowledged = new Map<string, string>();
  const unknown = new Set<string>();
  const idle: string[] = [];
  const inFlight = new Set<Promise<void>>();
  const startedMs = performance.now();
  const counts = { sent: 0, acknowledged: 0, failed: 0 };
  const failures = new Map<string, number>();
  const outage = createOutage();
  const stopping = new AbortController();

  const write = async (id: string, email: string): Promise<void> => {
    const answer = await put(`${url}/customers/${id}`, { email });
    const isAcknowledged = answer === '200' || answer === '201';
    counts[isAcknowledged ? 'acknowledged' : 'failed'] += 1;
    outage.saw(isAcknowledged);
    if (isAcknowledged) {
      acknowledged.set(id, email);
      unknown.delete(id);
      idle.push(id);
    } else {
      failures.set(answer, (failures.get(answer) ?? 0) + 1);
      // It may have been committed without an answer; nobody writes to it again.
      unknown.add(id);
    }
  };
  const send = (): void => {
    counts.sent += 1;
    const isRewrite = counts.sent % REWRITE_EVERY === 0;
    const id = (isRewrite ? idle.shift() : undefined) ?? randomUUID();
    const done = write(id, `load${counts.sent}@example.com`).finally(() => inFlight.delete(done));
    inFlight.add(done);
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const due = ((performance.now() - startedMs) / 1_000) * ratePerSecond;
      while (counts.sent < due && inFlight.size < IN_FLIGHT_MAX) send();
      await delay(TICK_MS);
    }
    await Promise.all(inFlight);
  };
  const running = run();
  return {
    acknowledged,
    unknown,
    async stop() {
      stopping.abort();
      const seconds = (performance.now() - startedMs) / 1_000;
      await running;
      return {
        ...counts,
        failures,
        outageMsMax: Math.round(outage.longestMs()),
        ratePerSecond: Math.round(counts.sent / seconds),
      };
    },
  };
}

/** The answer's status and whether it says when to try again, or why there was none. */
async function put(url: string, body: unknown): Promise<string> {
  try {
    const response = await fetch(url, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
    });
    await response.arrayBuffer();
    return response.headers.has('retry-after')
      ? `${response.status} with Retry-After`
      : String(response.status);
  } catch (error) {
    // Refused, reset or timed out: fetch throws a TypeError, the signal a DOMException.
    if (error instanceof TypeError || error instanceof DOMException) return error.name;
    throw error;
  }
}

function createOutage(): { saw(isAcknowledged: boolean): void; longestMs(): number } {
  let sinceMs: number | undefined;
  let longest = 0;
  return {
    saw(isAcknowledged) {
      const nowMs = performance.now();
      if (!isAcknowledged) sinceMs ??= nowMs;
      else if (sinceMs !== undefined) {
        longest = Math.max(longest, nowMs - sinceMs);
        sinceMs = undefined;
      }
    },
    longestMs: () => longest,
  };
}
