import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { CustomerService } from '../customers/customer-service.ts';
import { PAGE_LIMIT_DEFAULT } from '../http/limits.ts';
import { searchCustomersSchema } from '../schemas/bulk-routes.ts';
import { readChangedSince } from './read-changed-since.ts';
import { toPage } from './send-page.ts';

export const searchRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
}> = async (app, { customers }) => {
  app.post('/customers/search', { schema: searchCustomersSchema }, async (request) => {
    const { email, limit = PAGE_LIMIT_DEFAULT, cursor, changedSince } = request.body;
    const filter = { equals: { email }, ...readChangedSince(changedSince, 'body') };
    return toPage(await customers.list(limit, cursor, filter));
  });
};
