import { Type } from 'typebox';
import { requireScope } from '../auth/scopes.ts';
import { BatchBody } from './batch.ts';
import { ExportQuery, ImportHeaders, ImportQuery } from './bulk.ts';
import { BODY_PROBLEMS, JSON_TYPES } from './customer-routes.ts';
import {
  CreateHeaders,
  CustomerParams,
  jsonResponse,
  NDJSON,
  ndjsonResponse,
  UNKNOWN_LEVEL_HEADER,
} from './parts.ts';
import { guardedResponses } from './guarded-responses.ts';
import { ReceiptHeaders, ReceiptQuery } from './receipt.ts';
import { SearchBody } from './search.ts';

const tags = ['customers'];

export const searchCustomersSchema = {
  operationId: 'searchCustomers',
  security: requireScope('customers.read'),
  summary: 'List the customers that have an e-mail address, page by page',
  description:
    'Exactly the address given, letter for letter. There is no index: the whole table is read, at ' +
    'most 10,000 rows a page, so a page may be short, even empty, and have a `nextCursor` all the ' +
    'same: follow it to the end. The cursor belongs to the address and takes no other.',
  tags,
  consumes: JSON_TYPES,
  body: SearchBody,
  response: guardedResponses(['cursor-invalid', 'version-malformed', ...BODY_PROBLEMS], {
    200: jsonResponse('CustomerPage', { description: 'One page.' }),
  }),
};

export const batchSchema = {
  operationId: 'writeCustomers',
  security: requireScope('customers.write'),
  summary: 'Create, replace and delete up to 100 customers, each by itself',
  description:
    'No transaction: each operation is done or not, and the answer tells of each. It is 200 as soon ' +
    'as the batch itself is well-formed. A batch that names one customer twice is refused whole. ' +
    'With an `Idempotency-Key` the batch may be repeated, in any region: its creations without an ' +
    'id then make no second customers.',
  tags,
  consumes: JSON_TYPES,
  headers: CreateHeaders,
  body: BatchBody,
  response: guardedResponses(['version-malformed', ...BODY_PROBLEMS], {
    200: jsonResponse('BatchResult', {
      description: 'What became of each operation.',
      headers: UNKNOWN_LEVEL_HEADER,
    }),
  }),
};

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

export const receiptSchema = {
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
