import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { CustomerService } from '../customers/customer-service.ts';
import { PAGE_LIMIT_DEFAULT } from '../http/limits.ts';
import { writeCondition } from '../preconditions/preconditions.ts';
import { sendPage } from './send-page.ts';
import { sendOutcome } from './send-outcome.ts';
import {
  deleteCustomerSchema,
  listCustomersSchema,
  postCustomerSchema,
  putCustomerSchema,
} from '../schemas/customer-routes.ts';
import { patchCustomerRoute } from './patch-customer.ts';
import { readCustomerRoutes } from './read-customer.ts';

export const customerRoutes: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
}> = async (app, { customers }) => {
  app.post('/customers', { schema: postCustomerSchema }, async (request, reply) => {
    return sendOutcome(reply, await customers.create(request.body));
  });

  app.put('/customers/:customerId', { schema: putCustomerSchema }, async (request, reply) => {
    const { customerId } = request.params;
    const condition = writeCondition(request.headers);
    return sendOutcome(reply, await customers.put(customerId, request.body, condition));
  });

  app.delete('/customers/:customerId', { schema: deleteCustomerSchema }, async (request, reply) => {
    const condition = writeCondition(request.headers);
    return sendOutcome(reply, await customers.remove(request.params.customerId, condition));
  });

  app.get('/customers', { schema: listCustomersSchema }, async (request, reply) => {
    const { limit = PAGE_LIMIT_DEFAULT, cursor } = request.query;
    return sendPage(reply, { limit, page: await customers.list(limit, cursor) });
  });

  await app.register(readCustomerRoutes, { customers });
  await app.register(patchCustomerRoute, { customers });
};
