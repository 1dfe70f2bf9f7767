import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { encodeVector } from '@tandem/core';
import { type Static, Type } from 'typebox';
import { readPreferences } from '../consistency/preferences.ts';
import type { CustomerService } from '../customers/customer-service.ts';
import { ProblemError } from '../http/problem.ts';
import { placeHolder, requireScope } from '../plugins/auth.ts';
import { versionNotReached } from '../preconditions/preconditions.ts';
import { CustomerParams, guardedResponses, jsonResponse, PREFER, tags } from './schema-parts.ts';

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

const RECEIPT_LENGTH_MAX = 4_096;

const ReceiptQuery = Type.Object(
  {
    receipt: Type.String({
      minLength: 1,
      maxLength: RECEIPT_LENGTH_MAX,
      description: 'The x-tandem-receipt of the answer to the write.',
    }),
  },
  { additionalProperties: false },
);

const ReceiptHeaders = Type.Object({ ...PREFER });

export const ReceiptAnswer = Type.Object(
  {
    customerId: Type.String({ format: 'uuid' }),
    version: Type.String({ description: 'What the write made.' }),
    appliedEverywhere: Type.Boolean({ description: 'Every region has applied the write.' }),
    regions: Type.Array(
      Type.Object({
        region: Type.String(),
        state: Type.String({
          enum: ['applied', 'pending', 'unknown'],
          description:
            '`applied` for certain; `pending` as long as the region has not said so; `unknown` ' +
            'where only the region that took the write is told.',
        }),
      }),
    ),
  },
  {
    $id: 'Receipt',
    examples: [
      {
        customerId: '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88',
        version: '019a1b2c3d4e-0000-east-k3v9x2q7',
        appliedEverywhere: false,
        regions: [
          { region: 'east', state: 'applied' },
          { region: 'west', state: 'pending' },
        ],
      },
    ],
  },
);

export type ReceiptAnswer = Static<typeof ReceiptAnswer>;

const receiptSchema = {
  operationId: 'getReceipt',
  security: requireScope('customers.read'),
  summary: 'Ask whether every region has applied a write',
  description:
    'Of any write, at any later time. Ask the region that took it: only that one is told by its ' +
    'peers, about once a second, what they have applied. `Prefer: wait=5` waits for it. A peer that ' +
    'has a dead letter in its queue says nothing until that is resolved.',
  tags,
  params: CustomerParams,
  querystring: ReceiptQuery,
  headers: ReceiptHeaders,
  response: guardedResponses(['receipt-invalid', 'version-malformed', 'version-not-reached'], {
    200: jsonResponse('Receipt', { description: 'Where it is applied, as far as is known.' }),
  }),
};
