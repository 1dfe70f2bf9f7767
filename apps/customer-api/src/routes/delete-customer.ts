import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { sendWrite } from '../consistency/send-write.ts';
import type { CustomerService } from '../customers/customer-service.ts';
import { isJsonType, parseNoBody } from '../plugins/json-body.ts';
import { demandedCondition } from '../preconditions/preconditions.ts';
import { deleteCustomerSchema } from '../schemas/customer-routes.ts';

export const deleteCustomerRoute: FastifyPluginAsyncTypebox<{
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
