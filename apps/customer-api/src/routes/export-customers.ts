import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Readable } from 'node:stream';
import { exportCustomers } from '../bulk/export-customers.ts';
import { toNdjson } from '../bulk/import-report.ts';
import { createSlots } from '../bulk/slots.ts';
import type { CustomerService } from '../customers/customer-service.ts';
import { EXPORTS_AT_ONCE_MAX } from '../http/limits.ts';
import type { ListedCustomer } from '../schemas/customer.ts';
import { exportSchema } from '../schemas/bulk-routes.ts';
import { NDJSON } from '../schemas/parts.ts';
import { readChangedSince } from './read-changed-since.ts';

type Pages = AsyncGenerator<readonly ListedCustomer[]>;

export const exportRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
}> = async (app, { customers }) => {
  const slots = createSlots('exports', EXPORTS_AT_ONCE_MAX);
  // Before GET: a HEAD made of that would read the whole table, to throw it away.
  const options = { schema: exportSchema };
  app.head('/customers/export', options, async (_request, reply) => reply.type(NDJSON).send());
  app.get('/customers/export', options, async (request, reply) => {
    const filter = readChangedSince(request.query.changedSince, 'query');
    const leave = slots.take();
    try {
      const pages = exportCustomers(customers, filter);
      // Before the answer begins: a table that does not answer is still a 503.
      const first = await pages.next();
      const text = Readable.from(textOf(first.done === true ? [] : first.value, pages));
      // Not by the generator: one that was never asked for anything has no end either.
      return reply.type(NDJSON).send(text.once('close', leave));
    } catch (error) {
      leave();
      throw error;
    }
  });
};

/** Ends its reading of the table when the client goes away: the stream is then destroyed. */
async function* textOf(first: readonly ListedCustomer[], pages: Pages): AsyncGenerator<string> {
  yield first.map(toNdjson).join('');
  for await (const page of pages) yield page.map(toNdjson).join('');
}
