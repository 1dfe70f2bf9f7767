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
