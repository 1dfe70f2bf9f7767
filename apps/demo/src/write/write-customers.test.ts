import { describe, expect, it } from 'vitest';
import type { CustomerClient, WriteAnswer } from '../api/customer-client.ts';
import { type DemoCustomer, makeCustomers } from '../customers/make-customers.ts';
import { type WriteOptions, writeCustomers } from './write-customers.ts';

const UNANSWERED: WriteAnswer = { kind: 'unanswered', reason: 'connection refused' };
const withoutIds = (customers: readonly DemoCustomer[]): DemoCustomer[] =>
  customers.map(({ fields }) => ({ customerId: null, fields }));

/** A region that answers the first try of each customer with `first`, later ones with success. */
function createRegion(first?: WriteAnswer) {
  const tries = new Map<string, number>();
  const writes: { method: 'PUT' | 'POST'; email: string | null; id: string }[] = [];
  let made = 0;
  const write = async (method: 'PUT' | 'POST', id: string, email: string | null) => {
    const count = tries.get(String(email)) ?? 0;
    tries.set(String(email), count + 1);
    if (first !== undefined && count === 0) return first;
    writes.push({ method, email, id });
    return { kind: 'acknowledged', customerId: id, region: 'east' } as const;
  };
  const client: Pick<CustomerClient, 'put' | 'post'> = {
    put: (id, { email }) => write('PUT', id, email),
    post: ({ email }) => write('POST', `made-${(made += 1)}`, email),
  };
  return { client: client as CustomerClient, writes };
}

function options(overrides: Partial<WriteOptions> & Pick<WriteOptions, 'client'>): WriteOptions {
  return {
    customers: makeCustomers(20),
    concurrency: 4,
    idsBy: 'api',
    onAcknowledged: () => undefined,
    ...overrides,
  };
}

describe('writing customers', () => {
  it('puts each that has an id once, under that id', async () => {
    const { client, writes } = createRegion();
    const customers = makeCustomers(20);
    const counts: number[] = [];
    const result = await writeCustomers(
      options({ client, customers, onAcknowledged: ({ count }) => counts.push(count) }),
    );
    expect(writes).toHaveLength(20);
    expect(new Set(writes.map(({ id }) => id))).toEqual(
      new Set(customers.map(({ customerId }) => customerId)),
    );
    expect(writes.every(({ method }) => method === 'PUT')).toBe(true);
    expect(counts).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(result.written.acknowledged.size).toBe(20);
  });

  it('posts each that has no id, and remembers it under the id that it got', async () => {
    const { client, writes } = createRegion();
    const result = await writeCustomers(
      options({ client, customers: withoutIds(makeCustomers(20)) }),
    );
    expect(writes.every(({ method }) => method === 'POST')).toBe(true);
    for (const { id, email } of writes) {
      expect(result.written.acknowledged.get(id)?.email).toBe(email);
    }
  });

  it('sends a PUT again that was not answered, under the same id', async () => {
    const { client, writes } = createRegion(UNANSWERED);
    const customers = withoutIds(makeCustomers(5));
    const result = await writeCustomers(options({ client, customers, idsBy: 'client' }));
    expect(new Set(writes.map(({ id }) => id)).size).toBe(5);
    expect(result).toMatchObject({ failedRequests: 5, retriedWrites: 5 });
    expect(result.notAcknowledged.count).toBe(0);
  });

  it('never sends a POST again, because that could make two customers', async () => {
    const { client, writes } = createRegion(UNANSWERED);
    const result = await writeCustomers(
      options({ client, customers: withoutIds(makeCustomers(5)) }),
    );
    expect(writes).toEqual([]);
    expect(result.notAcknowledged).toEqual({ count: 5, reasons: ['connection refused'] });
  });

  it('does not repeat what is refused', async () => {
    const { client, writes } = createRegion({ kind: 'refused', reason: '400' });
    const result = await writeCustomers(options({ client, customers: makeCustomers(3) }));
    expect(writes).toEqual([]);
    expect(result.notAcknowledged).toEqual({ count: 3, reasons: ['400'] });
    expect(result.written.unanswered.size).toBe(0);
  });
});
