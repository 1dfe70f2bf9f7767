import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { CustomerService } from '../customers/customer-service.ts';
import { demandedCondition } from '../preconditions/preconditions.ts';
import { agreeOn } from '../preconditions/read-only-members.ts';
import { sendWrite } from '../consistency/send-write.ts';
import { parseJsonBody } from '../plugins/json-body.ts';
import { patchCustomerSchema } from '../schemas/customer-routes.ts';

export const patchCustomerRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
}> = async (app, { customers }) => {
  // Known in this scope only, so that PUT refuses a merge patch instead of replacing with it.
  app.addContentTypeParser('application/merge-patch+json', { parseAs: 'buffer' }, parseJsonBody);

  app.patch('/customers/:customerId', { schema: patchCustomerSchema }, async (request, reply) => {
    const { customerId } = request.params;
    const demanded = demandedCondition(request.headers, customers);
    const target = { customers, customerId };
    const { fields, condition } = await agreeOn(request.body, target, demanded);
    const outcome = await customers.patch(customerId, fields, condition);
    return sendWrite({ request, reply, customers }, outcome);
  });
};
