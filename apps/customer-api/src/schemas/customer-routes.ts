import { requireScope } from '../auth/scopes.ts';
import { guardedResponses } from './guarded-responses.ts';
import { CustomerBody, CustomerPatch, CustomerReplacement } from './customer.ts';
import { HistoryQuery } from './customer-history.ts';
import {
  CreateHeaders,
  CustomerParams,
  emptyResponse,
  ETAG_HEADER,
  jsonResponse,
  LINK_HEADER,
  LOCATION_HEADER,
  PageQuery,
  ReadHeaders,
  REPLAYED_HEADER,
  type RouteResponse,
  VERSION_HEADER,
  VersionHeaders,
  WRITE_HEADERS,
  WriteHeaders,
} from './parts.ts';

const tags = ['customers'];
export const JSON_TYPES = ['application/json'];
const PATCH_TYPES = ['application/merge-patch+json', 'application/json'];

/** Of any route but GET and HEAD, which do not look at a body. */
const SENT_BODY_PROBLEMS = ['malformed-json', 'body-too-large', 'unsupported-media-type'] as const;
export const BODY_PROBLEMS = [...SENT_BODY_PROBLEMS, 'limit-exceeded', 'entity-invalid'] as const;
const VERSION_PROBLEMS = ['version-malformed', 'version-not-reached'] as const;
const READ_PROBLEMS = [
  'precondition-malformed',
  'precondition-failed',
  ...VERSION_PROBLEMS,
] as const;
const PRECONDITION_PROBLEMS = ['precondition-required', ...READ_PROBLEMS] as const;

const SHOWN_HEADERS = { ...ETAG_HEADER, ...VERSION_HEADER };

const created = jsonResponse('Customer', {
  description: 'Created, and acknowledged by the table of this region.',
  headers: { ...ETAG_HEADER, ...WRITE_HEADERS, ...LOCATION_HEADER },
});
const replaced = jsonResponse('Customer', {
  description: 'Written, and acknowledged by the table of this region.',
  headers: { ...ETAG_HEADER, ...WRITE_HEADERS },
});
const notModified = emptyResponse({
  description: 'The version is the one that If-None-Match names.',
  headers: { ...ETAG_HEADER, ...VERSION_HEADER },
});

export const postCustomerSchema = {
  operationId: 'createCustomer',
  security: requireScope('customers.write'),
  summary: 'Create a customer under a new id',
  description:
    'The region makes the id. With an `Idempotency-Key` the request may be repeated, in this ' +
    'region or in another, and makes one customer.',
  tags,
  consumes: JSON_TYPES,
  headers: CreateHeaders,
  body: CustomerBody,
  response: guardedResponses(
    [
      'precondition-malformed',
      'version-malformed',
      ...BODY_PROBLEMS,
      'key-spent',
      'id-taken',
      'key-reused',
    ],
    {
      201: jsonResponse('Customer', {
        description: 'Created, now or by the same request before.',
        headers: { ...ETAG_HEADER, ...WRITE_HEADERS, ...LOCATION_HEADER, ...REPLAYED_HEADER },
      }),
    },
  ),
};

export const putCustomerSchema = {
  operationId: 'putCustomer',
  security: requireScope('customers.write'),
  summary: 'Create a customer, or replace it whole',
  description:
    'A field that the body leaves out loses its value. With `If-None-Match: *` it only ' +
    'creates, with `If-Match` it only replaces the version that is named.',
  tags,
  consumes: JSON_TYPES,
  params: CustomerParams,
  headers: WriteHeaders,
  body: CustomerReplacement,
  response: guardedResponses([...BODY_PROBLEMS, 'read-only-differs', ...PRECONDITION_PROBLEMS], {
    200: replaced,
    201: created,
  }),
};

export const patchCustomerSchema = {
  operationId: 'patchCustomer',
  security: requireScope('customers.write'),
  summary: 'Change some fields of a customer',
  description:
    'A merge patch (RFC 7396): a field that the body leaves out stays as it is, null removes ' +
    'its value.',
  tags,
  consumes: PATCH_TYPES,
  params: CustomerParams,
  headers: WriteHeaders,
  body: CustomerPatch,
  response: guardedResponses(
    ['customer-not-found', ...BODY_PROBLEMS, 'read-only-differs', ...PRECONDITION_PROBLEMS],
    {
      200: replaced,
    },
  ),
};

const readCustomerSchema = {
  tags,
  params: CustomerParams,
  headers: ReadHeaders,
};

function readResponses(shown: RouteResponse) {
  const own = { 200: shown, 304: notModified };
  return guardedResponses(['customer-not-found', ...READ_PROBLEMS], own);
}

export const getCustomerSchema = {
  ...readCustomerSchema,
  operationId: 'getCustomer',
  security: requireScope('customers.read'),
  summary: 'Read a customer',
  description: 'As this region has it, or, with `x-tandem-min-version`, at least as new as that.',
  response: readResponses(
    jsonResponse('Customer', { description: 'The customer.', headers: SHOWN_HEADERS }),
  ),
};

export const headCustomerSchema = {
  ...readCustomerSchema,
  // The generator of the OpenAPI document appends `-head`.
  operationId: 'getCustomer',
  security: requireScope('customers.read'),
  summary: 'Read the version of a customer',
  description: 'The headers of a read, without its body.',
  response: readResponses(
    emptyResponse({ description: 'There is such a customer.', headers: SHOWN_HEADERS }),
  ),
};

export const deleteCustomerSchema = {
  operationId: 'deleteCustomer',
  security: requireScope('customers.write'),
  summary: 'Delete a customer',
  description:
    'A delete reaches the other regions as any write does; a later write makes the customer ' +
    'anew.',
  tags,
  params: CustomerParams,
  headers: WriteHeaders,
  response: guardedResponses(
    ['customer-not-found', ...SENT_BODY_PROBLEMS, ...PRECONDITION_PROBLEMS],
    {
      204: emptyResponse({ description: 'Deleted.', headers: WRITE_HEADERS }),
    },
  ),
};

export const listCustomersSchema = {
  operationId: 'listCustomers',
  security: requireScope('customers.read'),
  summary: 'List customers, page by page, in a stable order',
  description:
    'Whoever exists from the first page to the last is on one of them, whatever is written in ' +
    'between.',
  tags,
  querystring: PageQuery,
  response: guardedResponses(['cursor-invalid', 'version-malformed'], {
    200: jsonResponse('CustomerPage', { description: 'One page.', headers: LINK_HEADER }),
  }),
};

export const getHistorySchema = {
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
