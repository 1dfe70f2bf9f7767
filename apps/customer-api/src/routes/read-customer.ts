import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { CustomerService } from '../customers/customer-service.ts';
import { sendRead } from './send-read.ts';
import { getCustomerSchema, headCustomerSchema } from '../schemas/customer-routes.ts';

/** OpenAPI leaves HEAD out unless told so. */
const DESCRIBED = { swagger: { exposeHeadRoute: true } } as const;

/** The schema of a HEAD has no body, and its Content-Length is that of GET (RFC 9110, 8.6). */
const serializerCompiler = () => JSON.stringify;

export const readCustomerRoutes: FastifyPluginAsyncTypebox<{
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
