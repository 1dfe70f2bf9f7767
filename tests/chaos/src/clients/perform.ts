import type { HistoryLog } from '../history/history-log.ts';
import type { Endpoint, Operation } from '../history/operation.ts';
import { type ApiRequest, sendRequest } from './send-request.ts';

export type Urls = Readonly<Record<Endpoint, string>>;

/** What is known of an operation before it is answered. */
type Planned = Pick<Operation, 'action' | 'via' | 'customer' | 'values'> &
  Partial<Pick<Operation, 'id' | 'atLeast' | 'key'>> & {
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
  };

export type Perform = (planned: Planned) => Promise<Operation>;

const METHODS = {
  put: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  create: 'POST',
  read: 'GET',
} as const satisfies Record<Operation['action'], ApiRequest['method']>;

/**
 * Sends one transaction, which replaces all customers of a group with the same values, and notes what it means for
 * each of them. Returns undefined, and notes nothing, where it was refused whole.
 */
export type Transact = (
  via: Endpoint,
  group: readonly string[],
  whole: Whole,
) => Promise<Operation | undefined>;

interface Whole {
  readonly values: Operation['values'];
  readonly body: unknown;
}

/** What refuses a batch: it has done nothing. */
const REFUSED_WHOLE = [409, 422];

export function createTransact(urls: Urls, history: HistoryLog): Transact {
  return async (via, group, { values, body }) => {
    const startMs = performance.now();
    const operations = group.map((customerId) => ({ replace: { customerId, customer: body } }));
    const answer = await sendRequest({
      method: 'POST',
      url: `${urls[via]}/customers/batch`,
      body: { operations, atomic: true },
    });
    const { outcome, status, region, note } = answer;
    if (status !== undefined && REFUSED_WHOLE.includes(status)) return undefined;
    const endMs = performance.now();
    const common = {
      action: 'put',
      via,
      values,
      startMs,
      endMs,
      outcome,
      status,
      region,
      note,
    } as const;
    const noted = group.map((customer) => ({ ...common, id: history.nextId(), customer, group }));
    for (const operation of noted) history.add(operation);
    return noted[0];
  };
}

/** Sends one operation and notes it with its times and its answer. */
export function createPerform(urls: Urls, history: HistoryLog): Perform {
  return async ({ headers, body, ...planned }) => {
    const id = planned.id ?? history.nextId();
    const { action, via, customer } = planned;
    const path = customer === undefined ? '/customers' : `/customers/${customer}`;
    const startMs = performance.now();
    const answer = await sendRequest({
      method: METHODS[action],
      url: `${urls[via]}${path}`,
      body,
      ...(headers === undefined ? {} : { headers }),
    });
    const operation: Operation = {
      ...planned,
      id,
      startMs,
      endMs: performance.now(),
      ...answer,
      customer: customer ?? answer.customer,
    };
    history.add(operation);
    return operation;
  };
}
