import { type Static, Type } from 'typebox';
import { CURSOR_LENGTH_MAX, HISTORY_LIMIT_DEFAULT, HISTORY_LIMIT_MAX } from '../http/limits.ts';
import { CustomerAnswer } from './customer.ts';

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

export const HistoryQuery = Type.Object(
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
