import { type Static, Type } from 'typebox';
import { requireScope } from '../plugins/auth.ts';
import { CustomerBody } from './customers-schema.ts';
import {
  ChangedSince,
  CustomerParams,
  guardedResponses,
  IDEMPOTENCY_KEY,
  NDJSON,
  ndjsonResponse,
  REFERENCE_LENGTH_MAX,
  tags,
  VERSION_LENGTH_MAX,
} from './schema-parts.ts';

const { customerId } = CustomerParams.properties;
const LINE_NUMBER_MAX = 1_000_000_000;

/** What an export writes can be imported as it is. */
export const ImportLine = Type.Object(
  {
    customerId: Type.Optional(customerId),
    ...CustomerBody.properties,
    version: Type.Optional(Type.String({ maxLength: VERSION_LENGTH_MAX })),
    referenceId: Type.Optional(Type.String({ maxLength: REFERENCE_LENGTH_MAX })),
  },
  { additionalProperties: false },
);

const ImportQuery = Type.Object(
  {
    firstLine: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LINE_NUMBER_MAX,
        default: 1,
        description:
          'The number of the first line sent: to go on where an import ended, send the lines ' +
          'after its last settledThrough, and here the number of the first of them.',
      }),
    ),
  },
  { additionalProperties: false },
);

const ImportHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      ...IDEMPOTENCY_KEY,
      description:
        'Lets lines go without a customerId: it then follows from the key and the number of the ' +
        'line, so that the same lines may be sent again and make no second customers.',
    }),
  ),
});

export const ImportReportLine = Type.Object(
  {
    line: Type.Optional(Type.Integer({ description: 'The line that failed.' })),
    status: Type.Optional(Type.Integer({ description: 'Of its problem.' })),
    problem: Type.Optional(Type.Unsafe<object>({ $ref: 'Problem#' })),
    settledThrough: Type.Optional(
      Type.Integer({ description: 'Every line up to it was written, or reported as failed.' }),
    ),
    written: Type.Optional(Type.Integer({ description: 'Lines written so far.' })),
    failed: Type.Optional(Type.Integer({ description: 'Lines reported as failed so far.' })),
    outcome: Type.Optional(
      Type.String({
        enum: ['complete', 'stopped'],
        description: 'On the last line only. A report without it was cut off.',
      }),
    ),
    stoppedBy: Type.Optional(
      Type.String({
        enum: ['failures', 'lines', 'store', 'stopping'],
        description:
          'More than 1,000 failed lines; more than 1,000,000 lines; the table does not answer; the ' +
          'process stops. Go on with the line after settledThrough.',
      }),
    ),
  },
  {
    $id: 'ImportReportLine',
    description: 'One line of the report.',
    examples: [
      { settledThrough: 400, written: 399, failed: 1 },
      { settledThrough: 731, written: 730, failed: 1, outcome: 'complete' },
    ],
  },
);

const ExportQuery = Type.Object({ ...ChangedSince }, { additionalProperties: false });

export type ImportLine = Static<typeof ImportLine>;
export type ImportReportLine = Static<typeof ImportReportLine>;

export const importSchema = {
  operationId: 'importCustomers',
  security: requireScope('customers.write'),
  summary: 'Create or replace customers from lines of JSON, one to a line',
  description:
    'Each line is a whole customer, with its `customerId`; what an export wrote can be imported ' +
    'as it is (`version` and `referenceId` are not used). The table is written while the lines ' +
    'arrive, and no faster are they read. The answer is a report in lines of JSON, which begins ' +
    'before the last line is read: what failed and how far it has come. A line that fails stops ' +
    'nothing. To go on after a break, send the lines after the last `settledThrough`; to send one ' +
    'again is harmless. Where the region demands preconditions an import only creates.',
  tags,
  consumes: [NDJSON],
  querystring: ImportQuery,
  headers: ImportHeaders,
  body: Type.Unsafe<AsyncIterable<Buffer>>({
    type: 'string',
    description: 'Lines of JSON in UTF-8, each at most 16 KiB; empty lines count and do nothing.',
    examples: ['{"customerId":"4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88","email":"ada@example.com"}\n'],
  }),
  response: guardedResponses(['version-malformed', 'unsupported-media-type', 'malformed-json'], {
    200: ndjsonResponse('ImportReportLine', {
      description: 'The report. Only a last line with `outcome` tells that it is whole.',
    }),
  }),
};

export const exportSchema = {
  operationId: 'exportCustomers',
  security: requireScope('customers.read'),
  summary: 'Read all customers as lines of JSON, one to a line',
  description:
    'In the order of the list, each as it is when it is read. Whoever reads slowly slows the ' +
    'reading of the table. An export that is broken off ends without the last chunk of its ' +
    'transfer coding, which any client reports as an error.',
  tags,
  querystring: ExportQuery,
  response: guardedResponses(['version-malformed'], {
    200: ndjsonResponse('ListedCustomer', { description: 'The customers.' }),
  }),
};
