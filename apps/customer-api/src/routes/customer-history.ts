import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { encodeVector } from '@tandem/core';
import type { HistoryEntry } from '@tandem/storage';
import type { CustomerKind, CustomerService } from '../customers/customer-service.ts';
import { HISTORY_LIMIT_DEFAULT } from '../http/limits.ts';
import type { CustomerHistory } from '../schemas/customer-history.ts';
import { customerNotFound } from './problem-of-outcome.ts';
import { toFields } from './send-outcome.ts';
import { getHistorySchema } from '../schemas/customer-routes.ts';

export const historyRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
}> = async (app, { customers }) => {
  const path = '/customers/:customerId/history';
  app.get(path, { schema: getHistorySchema }, async (request, reply) => {
    const { customerId } = request.params;
    const { limit = HISTORY_LIMIT_DEFAULT, cursor } = request.query;
    const page = await customers.history(customerId, limit, cursor);
    if (page === undefined) throw customerNotFound();
    const items = page.entries.map(toItem);
    if (page.cursor === undefined) return reply.send({ items });
    const query = new URLSearchParams({ limit: String(limit), cursor: page.cursor });
    const target = `/customers/${customerId}/history?${query.toString()}`;
    reply.header('link', `<${target}>; rel="next"`);
    return reply.send({ items, nextCursor: page.cursor });
  });
};

function toItem(entry: HistoryEntry<CustomerKind>): CustomerHistory['items'][number] {
  const { version, atMs, region, operation, entity } = entry;
  return {
    version: encodeVector(version),
    at: new Date(atMs).toISOString(),
    region,
    operation,
    changedFields: entry.changedFields.filter((field) => field !== 'creationDigest'),
    ...(entity === undefined ? {} : { customer: toFields(entity) }),
  };
}
