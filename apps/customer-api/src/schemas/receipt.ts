import { type Static, Type } from 'typebox';
import { PREFER } from './parts.ts';

const RECEIPT_LENGTH_MAX = 4_096;

export const ReceiptQuery = Type.Object(
  {
    receipt: Type.String({
      minLength: 1,
      maxLength: RECEIPT_LENGTH_MAX,
      description: 'The x-tandem-receipt of the answer to the write.',
    }),
  },
  { additionalProperties: false },
);

export const ReceiptHeaders = Type.Object({ ...PREFER });

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
