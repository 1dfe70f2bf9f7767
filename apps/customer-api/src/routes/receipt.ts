import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { encodeVector } from '@tandem/core';
import { readPreferences } from '../consistency/preferences.ts';
import { versionNotReached } from '../consistency/require-version.ts';
import type { CustomerService } from '../customers/customer-service.ts';
import { placeHolder } from '../http/places.ts';
import { ProblemError } from '../http/problem.ts';
import { receiptSchema } from '../schemas/bulk-routes.ts';

export const receiptRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
}> = async (app, { customers }) => {
  const options = { schema: receiptSchema };
  app.get('/customers/:customerId/receipt', options, async (request, reply) => {
    const { customerId } = request.params;
    const receipt = customers.readReceipt(customerId, request.query.receipt);
    if (receipt === undefined) throw receiptInvalid();
    const { waitMs } = readPreferences(request.headers.prefer, 0);
    const { version } = receipt;
    const wait = { waitMs, caller: placeHolder(request) };
    const answer = await customers.whereApplied(customerId, receipt, wait);
    if (answer.kind === 'forged') throw receiptInvalid(answer.why);
    if (answer.kind === 'not-reached') throw versionNotReached(waitMs);
    const regions = [...answer.regions];
    return reply.header('cache-control', 'no-store').send({
      customerId: customerId.toLowerCase(),
      version: encodeVector(version),
      appliedEverywhere: regions.every(({ state }) => state === 'applied'),
      regions,
    });
  });
};

function receiptInvalid(why?: string): ProblemError {
  const remedy = 'Send the x-tandem-receipt of a write of this customer, as it is';
  const detail = why === undefined ? `${remedy}.` : `${remedy}: ${why}`;
  return new ProblemError('receipt-invalid', { detail });
}
