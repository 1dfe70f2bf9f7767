import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { encodeVector } from '@tandem/core';
import type { HistoryEntry } from '@tandem/storage';
import { type Static, Type } from 'typebox';
import type { CustomerKind, CustomerService } from '../customers/customer-service.ts';
import { CURSOR_LENGTH_MAX, HISTORY_LIMIT_DEFAULT, HISTORY_LIMIT_MAX } from '../http/limits.ts';
import { requireScope } from '../plugins/auth.ts';
import { customerNotFound, toFields } from './answer-customer.ts';
import { CustomerAnswer, VERSION_PROBLEMS } from './customers-schema.ts';
import {
  CustomerParams,
  guardedResponses,
  jsonResponse,
  LINK_HEADER,
  tags,
  VersionHeaders,
} from './schema-parts.ts';

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

const { customerId: _customerId, referenceId: _referenceId, ...fields } = CustomerAnswer.properties;

const CustomerChange = Type.Object({
  version: Type.String({ description: 'What the customer had become, as its ETag names it.' }),
  at: Type.String({ format: 'date-time', description: 'By the hybrid clock of the region.' }),
  region: Type.String({ description: 'The region that it was written in.' }),
  operation: Type.String({ enum: ['create', 'replace', 'patch', 'delete'] }),
  changedFields: Type.Array(Type.String(), { description: 'The fields that it set.' }),
  customer: Type.Optional(
    Type.Object(fields, { description: 'The fields after it. Absent for a deletion.' }),
  ),
});

export const CustomerHistory = Type.Object(
  {
    items: Type.Array(CustomerChange),
    nextCursor: Type.Optional(
      Type.String({ description: 'Ask for the next page with it. Absent on the last page.' }),
    ),
  },
  {
    $id: 'CustomerHistory',
    examples: [
      {
        items: [
          {
            version: '019a1b2c3d4e-0000-east-k3v9x2q7',
            at: '2026-11-22T10:00:00.000Z',
            region: 'east',
            operation: 'create',
            changedFields: ['email', 'firstName'],
            customer: {
              email: 'ada@example.com',
              firstName: 'Ada',
              lastName: null,
              phoneNumber: null,
            },
          },
        ],
      },
    ],
  },
);

export type CustomerHistory = Static<typeof CustomerHistory>;

const HistoryQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: HISTORY_LIMIT_MAX,
        default: HISTORY_LIMIT_DEFAULT,
        description: 'Transactions on a page.',
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: CURSOR_LENGTH_MAX,
        description: 'The nextCursor of the page before.',
      }),
    ),
  },
  { additionalProperties: false },
);

const getHistorySchema = {
  operationId: 'getCustomerHistory',
  security: requireScope('customers.operate'),
  summary: 'List the transactions of a customer that this region has archived, oldest first',
  description:
    'What was written moments ago, or elsewhere, may still be on its way to the archive. The ' +
    'archive is read by time: a page may be short, even empty, and still lead to a next one.',
  tags,
  params: CustomerParams,
  querystring: HistoryQuery,
  headers: VersionHeaders,
  response: guardedResponses(['cursor-invalid', 'customer-not-found', ...VERSION_PROBLEMS], {
    200: jsonResponse('CustomerHistory', { description: 'One page.', headers: LINK_HEADER }),
  }),
};
