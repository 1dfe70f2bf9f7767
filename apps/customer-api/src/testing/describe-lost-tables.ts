import type { TableStore } from '@tandem/core';
import { describe, expect, it } from 'vitest';
import { createTestApp } from './create-test-app.ts';

const URL = '/customers/4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';

/** Stores of an account without tables, and of one that takes this process for nobody. */
export interface LostTables {
  gone(): TableStore;
  refusing(): TableStore;
}

/** Adds the tests of what clients and operators are told when nothing of a region's tables can be had. */
export function describeLostTables(over: string, stores: LostTables): void {
  describe(`C10: a region whose tables are gone, or refuse this process, over ${over}`, () => {
    const ADA = { email: 'ada@example.com' };
    const OPERATIONS = [
      { method: 'PUT', url: URL, payload: ADA },
      { method: 'PATCH', url: URL, payload: ADA },
      { method: 'DELETE', url: URL },
      { method: 'GET', url: URL },
      { method: 'HEAD', url: URL },
      { method: 'GET', url: `${URL}/history` },
      { method: 'POST', url: '/customers', payload: ADA },
      { method: 'POST', url: '/customers', payload: ADA, headers: { 'idempotency-key': 'a' } },
      { method: 'GET', url: '/customers' },
      { method: 'GET', url: '/customers/export' },
      { method: 'POST', url: '/customers/search', payload: ADA },
      { method: 'GET', url: URL, headers: { 'x-tandem-min-version': '0199a1b2c3d4-0003-east-a' } },
    ] as const;
    it.each(['gone', 'refusing'] as const)(
      '%s: every operation is answered with 503 and Retry-After',
      async (name) => {
        const { app, lines } = await createTestApp({ store: stores[name]() });
        for (const request of OPERATIONS) {
          const response = await app.inject(request);
          const told = `${request.method} ${request.url} ${response.statusCode}`;
          expect(told).toBe(`${request.method} ${request.url} 503`);
          expect(response.headers['retry-after']).toMatch(/^[1-9]\d*$/);
          expect(response.body).not.toMatch(/east01|devstoreaccount1|Customers/);
        }
        // Nothing mends itself here, so the operator has to hear of it.
        const errors = lines.filter(({ level }) => level === 'error');
        expect(errors.length).toBe(OPERATIONS.length);
        const operations = [{ replace: { customerId: URL.split('/').at(-1), customer: ADA } }];
        const batch = { method: 'POST', url: '/customers/batch', payload: { operations } } as const;
        expect((await app.inject(batch)).json().items).toMatchObject([{ status: 503 }]);
        const lines3 = '{"email":"a@b"}\n'.repeat(3);
        const imported = await app.inject({
          method: 'POST',
          url: '/customers/import',
          payload: lines3,
          headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': 'b' },
        });
        expect(JSON.parse(imported.body)).toMatchObject({ failed: 0, stoppedBy: 'store' });
        await app.close();
      },
    );
  });
}
