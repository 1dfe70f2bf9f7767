import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Pace } from '../bulk/pace.ts';
import type { CustomerService } from '../customers/customer-service.ts';
import { PAGE_LIMIT_DEFAULT } from '../http/limits.ts';
import { readIdempotencyKey } from '../idempotency/idempotency-key.ts';
import { isJsonType, parseJsonBody, parseNoBody } from '../plugins/json-body.ts';
import {
  agreeOn,
  demandedCondition,
  namesLeastVersion,
  refuseConditions,
  requireVersion,
} from '../preconditions/preconditions.ts';
import { sendPage, sendRead, sendWrite, toPage } from './answer-customer.ts';
import { batchRoute } from './batch.ts';
import { exportRoute, importRoute } from './bulk.ts';
import {
  deleteCustomerSchema,
  getCustomerSchema,
  headCustomerSchema,
  listCustomersSchema,
  patchCustomerSchema,
  postCustomerSchema,
  putCustomerSchema,
  readChangedSince,
  searchCustomersSchema,
} from './customers-schema.ts';
import { historyRoute } from './history.ts';
import { receiptRoute } from './receipt.ts';
export const customerRoutes: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
  /** Says how fast clients have to be that an export or an import waits for. */
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

/** OpenAPI leaves HEAD out unless told so. */
const DESCRIBED = { swagger: { exposeHeadRoute: true } } as const;

/** The schema of a HEAD has no body, and its Content-Length is that of GET (RFC 9110, 8.6). */
const serializerCompiler = () => JSON.stringify;

const readCustomerRoutes: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
}> = async (app, { customers }) => {
  // Before GET, which would otherwise bring a HEAD of its own that no one documented.
  const headOptions = { schema: headCustomerSchema, config: DESCRIBED, serializerCompiler };
  app.head('/customers/:customerId', headOptions, async (request, reply) => {
    const record = await customers.get(request.params.customerId);
    return sendRead(reply, { record, headers: request.headers });
  });

  app.get('/customers/:customerId', { schema: getCustomerSchema }, async (request, reply) => {
    const record = await customers.get(request.params.customerId);
    return sendRead(reply, { record, headers: request.headers });
  });
};

const MERGE_PATCH = 'application/merge-patch+json';
/** Matches what `fetch` puts on every text whose type nobody names. */
const UNNAMED_TEXT = /^\s*text\/plain\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

const patchCustomerRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
}> = async (app, { customers }) => {
  // Known in this scope only, so that PUT refuses a merge patch instead of replacing with it.
  app.addContentTypeParser(MERGE_PATCH, { parseAs: 'buffer' }, parseJsonBody);
  // Generated clients name no type where a document lists two. No page of another site can send a PATCH
  // unasked, so taking a plain text opens nothing that the type would have closed.
  app.addHook('onRequest', ({ raw: { headers } }, _reply, done) => {
    const type = headers['content-type'];
    if (type === undefined || UNNAMED_TEXT.test(type)) headers['content-type'] = MERGE_PATCH;
    done();
  });

  app.patch('/customers/:customerId', { schema: patchCustomerSchema }, async (request, reply) => {
    const { customerId } = request.params;
    const demanded = demandedCondition(request.headers, customers);
    const target = { customers, customerId };
    const { fields, condition } = await agreeOn(request.body, target, demanded);
    const outcome = await customers.patch(customerId, fields, condition);
    return sendWrite({ request, reply, customers }, outcome);
  });
};

const deleteCustomerRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
}> = async (app, { customers }) => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, parseNoBody);
  // The framework refuses a type that it cannot read before any parser sees that nothing is of it.
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    if (!isJsonType(raw.headers)) delete raw.headers['content-type'];
    done();
  });

  app.delete('/customers/:customerId', { schema: deleteCustomerSchema }, async (request, reply) => {
    const condition = demandedCondition(request.headers, customers);
    const outcome = await customers.remove(request.params.customerId, condition);
    return sendWrite({ request, reply, customers }, outcome);
  });
};

const searchRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
}> = async (app, { customers }) => {
  app.post('/customers/search', { schema: searchCustomersSchema }, async (request) => {
    const { email, limit = PAGE_LIMIT_DEFAULT, cursor, changedSince } = request.body;
    const filter = { equals: { email }, ...readChangedSince(changedSince, 'body') };
    return toPage(await customers.list(limit, cursor, filter));
  });
};
