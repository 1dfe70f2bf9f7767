import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { CustomerService } from '../customers/customer-service.ts';
import { demandedCondition } from '../preconditions/preconditions.ts';
import { agreeOn } from '../preconditions/read-only-members.ts';
import { sendWrite } from '../consistency/send-write.ts';
import { parseJsonBody } from '../plugins/json-body.ts';
import { patchCustomerSchema } from '../schemas/customer-routes.ts';

const MERGE_PATCH = 'application/merge-patch+json';
/** What `fetch` puts on every text whose type nobody names. */
const UNNAMED_TEXT = /^\s*text\/plain\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

export const patchCustomerRoute: FastifyPluginAsyncTypebox<{
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
