import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Pace } from '../bulk/pace.ts';
import type { CustomerService } from '../customers/customer-service.ts';
import { PAGE_LIMIT_DEFAULT } from '../http/limits.ts';
import { demandedCondition, refuseConditions } from '../preconditions/preconditions.ts';
import { agreeOn } from '../preconditions/read-only-members.ts';
import { sendPage } from './send-page.ts';
import { readIdempotencyKey } from '../idempotency/read-idempotency-key.ts';
import { sendWrite } from '../consistency/send-write.ts';
import { namesLeastVersion, requireVersion } from '../consistency/require-version.ts';
import { historyRoute } from './customer-history.ts';
import {
  listCustomersSchema,
  postCustomerSchema,
  putCustomerSchema,
} from '../schemas/customer-routes.ts';
import { batchRoute } from './batch.ts';
import { exportRoute } from './export-customers.ts';
import { importRoute } from './import-customers.ts';
import { receiptRoute } from './receipt.ts';
import { searchRoute } from './search-customers.ts';
import { readChangedSince } from './read-changed-since.ts';
import { deleteCustomerRoute } from './delete-customer.ts';
import { patchCustomerRoute } from './patch-customer.ts';
import { readCustomerRoutes } from './read-customer.ts';

export const customerRoutes: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
  /** Of clients that an export or an import waits for. */
  readonly pace: Pace;
}> = async (app, { customers, pace }) => {
  app.addHook('preHandler', (request, _reply, done) => {
    if (!namesLeastVersion(request)) done();
    // oxlint-disable-next-line promise/no-callback-in-promise -- most requests need no promise here.
    else requireVersion(request, customers).then(() => done(), done);
  });

  app.post('/customers', { schema: postCustomerSchema }, async (request, reply) => {
    refuseConditions(request.headers);
    const key = readIdempotencyKey(request.headers['idempotency-key'], request.caller);
    const outcome = await customers.create(request.body, key);
    return sendWrite({ request, reply, customers }, outcome);
  });

  app.put('/customers/:customerId', { schema: putCustomerSchema }, async (request, reply) => {
    const { customerId } = request.params;
    const demanded = demandedCondition(request.headers, customers);
    const target = { customers, customerId };
    const { fields, condition } = await agreeOn(request.body, target, demanded);
    const outcome = await customers.put(customerId, fields, condition);
    return sendWrite({ request, reply, customers }, outcome);
  });

  app.get('/customers', { schema: listCustomersSchema }, async (request, reply) => {
    const { limit = PAGE_LIMIT_DEFAULT, cursor, changedSince } = request.query;
    const filter = readChangedSince(changedSince, 'query');
    const query = { limit: String(limit), ...(changedSince === undefined ? {} : { changedSince }) };
    return sendPage(reply, { query, page: await customers.list(limit, cursor, filter) });
  });

  await app.register(readCustomerRoutes, { customers });
  await app.register(patchCustomerRoute, { customers });
  await app.register(deleteCustomerRoute, { customers });
  await app.register(historyRoute, { customers });
  await app.register(searchRoute, { customers });
  await app.register(batchRoute, { customers });
  await app.register(importRoute, { customers, pace });
  await app.register(exportRoute, { customers, pace });
  await app.register(receiptRoute, { customers });
};
