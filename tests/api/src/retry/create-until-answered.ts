import { setTimeout as delay } from 'node:timers/promises';
import type { CustomerApi } from '@tandem/customer-client';

export interface Creation {
  readonly key: string;
  readonly email: string;
}

export interface Created {
  /** Of every answer that said 201; one and the same, or something is wrong. */
  readonly ids: ReadonlySet<string>;
  readonly tries: number;
}

export interface Watch {
  readonly isOver: () => boolean;
  /** Of every 201. */
  readonly onAnswer: () => void;
}

const RETRY_MS = 100;
const TRIES_MAX = 1_000;

/**
 * Creates a customer as a careful client does: the same request under the same key, until one that was
 * sent after `isOver` is answered. Every answer before is one that the client never heard.
 */
export async function createUntilAnswered(
  api: CustomerApi,
  { key, email }: Creation,
  { isOver, onAnswer }: Watch,
): Promise<Created> {
  const ids = new Set<string>();
  for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
    const isLast = isOver();
    const id = await create(api, { key, email });
    if (id !== undefined) {
      ids.add(id);
      onAnswer();
    }
    if (id !== undefined && isLast) return { ids, tries };
    await delay(RETRY_MS);
  }
  throw new Error(`${email} got no answer in ${TRIES_MAX} tries.`);
}

/** Undefined without an answer, and for one that says to try again. */
async function create(api: CustomerApi, { key, email }: Creation): Promise<string | undefined> {
  try {
    const params = { header: { 'idempotency-key': key } };
    const { data, error, response } = await api.POST('/customers', { params, body: { email } });
    if (data !== undefined) return data.customerId;
    const { status } = response;
    if (status >= 500 || status === 429) return undefined;
    throw new Error(`${email} was answered with ${status} ${JSON.stringify(error)}.`);
  } catch (failure) {
    // Refused, reset, cut or timed out.
    const isNoAnswer = failure instanceof TypeError || failure instanceof DOMException;
    if (isNoAnswer || failure instanceof SyntaxError) return undefined;
    throw failure;
  }
}
