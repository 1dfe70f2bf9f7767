import { type Static, Type } from 'typebox';
import { BATCH_OPERATIONS_MAX } from '../http/limits.ts';
import { CustomerBody, CustomerReplacement } from './customer.ts';
import { CustomerParams, VERSION_LENGTH_MAX } from './parts.ts';

const { customerId } = CustomerParams.properties;

const ifVersion = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: VERSION_LENGTH_MAX,
    description: 'Only while this is its version, as `x-tandem-version` or a list gave it.',
  }),
);

export const BatchOperation = Type.Object(
  {
    create: Type.Optional(
      Type.Object(
        { customerId: Type.Optional(customerId), customer: CustomerBody },
        {
          additionalProperties: false,
          description: 'Only while there is no such customer. Without an id the region makes one.',
        },
      ),
    ),
    replace: Type.Optional(
      Type.Object(
        { customerId, customer: CustomerReplacement, ifVersion },
        { additionalProperties: false, description: 'Creates, or replaces whole.' },
      ),
    ),
    delete: Type.Optional(Type.Object({ customerId, ifVersion }, { additionalProperties: false })),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 1,
    description: 'Exactly one of the three.',
  },
);

const EXAMPLE_ID = '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
const OTHER_ID = 'c0a1b2c3-0d4e-4f5a-8b6c-7d8e9f0a1b2c';
const VERSION = '019a1b2c3d4e-0000-east-k3v9x2q7';

export const BatchBody = Type.Object(
  {
    operations: Type.Array(BatchOperation, {
      minItems: 1,
      maxItems: BATCH_OPERATIONS_MAX,
      description: 'No two of one customer.',
    }),
  },
  {
    additionalProperties: false,
    examples: [
      {
        operations: [
          { create: { customer: { email: 'ada@example.com', firstName: 'Ada' } } },
          { replace: { customerId: EXAMPLE_ID, customer: { email: 'bob@example.com' } } },
          { delete: { customerId: OTHER_ID, ifVersion: VERSION } },
        ],
      },
    ],
  },
);

const BatchItem = Type.Object({
  status: Type.Integer({
    description: 'What the operation alone would have been answered: 200, 201, 204 or a problem.',
  }),
  customerId: Type.Optional(Type.String({ format: 'uuid', description: 'In lower case.' })),
  version: Type.Optional(
    Type.String({ description: 'What the write made, or what is there instead (412).' }),
  ),
  acknowledged: Type.Optional(
    Type.String({ enum: ['local', 'queued'], description: 'The level that the write reached.' }),
  ),
  queuedPeers: Type.Optional(
    Type.Array(Type.String(), {
      description: 'As the header x-tandem-queued-peers has them.',
    }),
  ),
  receipt: Type.Optional(Type.String({ description: 'As the header x-tandem-receipt has it.' })),
  replayed: Type.Optional(
    Type.Boolean({ description: 'The Idempotency-Key had created the customer before.' }),
  ),
  problem: Type.Optional(Type.Unsafe<object>({ $ref: 'Problem#' })),
});

export const BatchAnswer = Type.Object(
  { items: Type.Array(BatchItem, { description: 'One for each operation, in their order.' }) },
  {
    $id: 'BatchResult',
    examples: [
      {
        items: [
          {
            status: 201,
            customerId: EXAMPLE_ID,
            version: VERSION,
            acknowledged: 'local',
            receipt: 'bWk4aTFhYmM6MDE5YTFiMmMzZDRlAbCdEfGhIjK',
          },
          {
            status: 404,
            customerId: OTHER_ID,
            problem: {
              type: '/problems/customer-not-found',
              title: 'There is no such customer.',
              status: 404,
              detail: 'It was never created, was deleted, or has not reached this region yet.',
              instance: '0af7651916cd43dd8448eb211c80319c',
            },
          },
        ],
      },
    ],
  },
);

export type BatchOperation = Static<typeof BatchOperation>;
export type BatchItem = Static<typeof BatchItem>;
