import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Readable } from 'node:stream';
import { exportCustomers } from '../bulk/export-customers.ts';
import { toNdjson } from '../bulk/import-report.ts';
import { type Pace, PaceKeeper } from '../bulk/pace.ts';
import type { CustomerService } from '../customers/customer-service.ts';
import { EXPORTS_AT_ONCE_MAX, EXPORTS_PER_CALLER_MAX } from '../http/limits.ts';
import { createPlaces, placeHolder } from '../http/places.ts';
import type { ListedCustomer } from '../schemas/customer.ts';
import { exportSchema } from '../schemas/bulk-routes.ts';
import { NDJSON } from '../schemas/parts.ts';
import { readChangedSince } from './read-changed-since.ts';

type Pages = AsyncGenerator<readonly ListedCustomer[]>;

export const exportRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
  readonly pace: Pace;
}> = async (app, { customers, pace }) => {
  const places = createPlaces({
    what: 'exports',
    countMax: EXPORTS_AT_ONCE_MAX,
    perCallerMax: EXPORTS_PER_CALLER_MAX,
  });
  // Before GET: a HEAD made of that would read the whole table, to throw it away.
  const options = { schema: exportSchema };
  app.head('/customers/export', options, async (_request, reply) => reply.type(NDJSON).send());
  app.get('/customers/export', options, async (request, reply) => {
    const filter = readChangedSince(request.query.changedSince, 'query');
    const leave = places.take(placeHolder(request));
    try {
      const pages = exportCustomers(customers, filter);
      // Before the answer begins: a table that does not answer is still a 503.
      const first = await pages.next();
      const texts = textOf(first.done === true ? [] : first.value, pages);
      const keeper = new PaceKeeper({
        ...pace,
        onTooSlow: () => {
          request.log.warn({ event: 'export-too-slow', ...pace }, 'A client reads too slowly.');
          reply.raw.destroy();
        },
      });
      const text = Readable.from(keeper.takes(texts));
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
