import { readInstantMs } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { type Static, type TSchema, type TString, type TUnsafe, Type } from 'typebox';
import { ProblemError } from '../http/problem.ts';
import { requireScope } from '../plugins/auth.ts';
import type { Violation } from '../validation/validator.ts';
import {
  CreateHeaders,
  CUSTOMER_ID,
  CustomerParams,
  ETAG_HEADER,
  emptyResponse,
  guardedResponses,
  jsonResponse,
  LINK_HEADER,
  LOCATION_HEADER,
  PageQuery,
  REFERENCE_LENGTH_MAX,
  REPLAYED_HEADER,
  ReadHeaders,
  type RouteResponse,
  tags,
  VERSION_HEADER,
  VERSION_LENGTH_MAX,
  WRITE_HEADERS,
  WriteHeaders,
} from './schema-parts.ts';

const { email, firstName, lastName, phoneNumber } = customerKind.schema.properties;

/** The limits are the entity kind's; how a field may be left out is the API's own. */
function limitsOf(field: TSchema): { maxLength?: number; pattern?: string } {
  const { maxLength, pattern } = field as { maxLength?: number; pattern?: string };
  return {
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(pattern === undefined ? {} : { pattern }),
  };
}

function text(field: TSchema, description: string): TString {
  return Type.String({ ...limitsOf(field), description });
}

function nullableText(field: TSchema, description: string): TUnsafe<string | null> {
  return Type.Unsafe<string | null>({ type: ['string', 'null'], ...limitsOf(field), description });
}

const optionalFields = {
  firstName: Type.Optional(nullableText(firstName, 'Given name; null removes it.')),
  lastName: Type.Optional(nullableText(lastName, 'Family name; null removes it.')),
  phoneNumber: Type.Optional(nullableText(phoneNumber, 'In any notation; null removes it.')),
};

const emailField = text(email, 'Where the customer is written to.');

const CUSTOMER_EXAMPLES = [
  {
    email: 'ada@example.com',
    firstName: 'Ada',
    lastName: 'Lovelace',
    phoneNumber: '+44 20 7946 0018',
  },
];

export const CustomerBody = Type.Object(
  { email: emailField, ...optionalFields },
  {
    additionalProperties: false,
    description: 'A whole customer: a field that is left out has no value.',
    examples: CUSTOMER_EXAMPLES,
  },
);

/** What answers carry and no write sets: taken back as it was given, and refused when it is another. */
const readOnlyMembers = {
  customerId: Type.Optional(
    Type.String({ ...CUSTOMER_ID, description: 'As it was read: that of the path.' }),
  ),
  referenceId: Type.Optional(
    Type.String({
      maxLength: REFERENCE_LENGTH_MAX,
      description: 'As it was read: the write is done only while it is still that of the customer.',
    }),
  ),
  version: Type.Optional(
    Type.String({
      maxLength: VERSION_LENGTH_MAX,
      description: 'As it was read: the write is done only while it is still that of the customer.',
    }),
  ),
};

const READ_BACK =
  'What was read can be sent back, changed: `customerId`, `referenceId` and `version` too.';

export const CustomerReplacement = Type.Object(
  { ...CustomerBody.properties, ...readOnlyMembers },
  {
    additionalProperties: false,
    description: `A whole customer: a field that is left out has no value. ${READ_BACK}`,
    examples: CUSTOMER_EXAMPLES,
  },
);

export const CustomerPatch = Type.Object(
  { email: Type.Optional(emailField), ...optionalFields, ...readOnlyMembers },
  {
    additionalProperties: false,
    description: `A merge patch (RFC 7396): a field that is left out stays as it is. ${READ_BACK}`,
    examples: [{ phoneNumber: '+44 20 7946 0999', lastName: null }],
  },
);

/** A field of an answer. The rules for input are left out: what is stored is answered as it is. */
function storedText(description: string): TUnsafe<string | null> {
  return Type.Unsafe<string | null>({ type: ['string', 'null'], description });
}

export const CustomerAnswer = Type.Object(
  {
    customerId: Type.String({ format: 'uuid', description: 'In lower case.' }),
    email: storedText('Where the customer is written to.'),
    firstName: storedText('Null when not set.'),
    lastName: storedText('Null when not set.'),
    phoneNumber: storedText('Null when not set.'),
    referenceId: Type.Optional(
      Type.String({
        description:
          'The archive record of the transaction that another region wrote. Absent when the ' +
          'newest transaction was written in this region.',
      }),
    ),
  },
  {
    $id: 'Customer',
    examples: [
      {
        customerId: '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88',
        email: 'ada@example.com',
        firstName: 'Ada',
        lastName: 'Lovelace',
        phoneNumber: null,
      },
    ],
  },
);

const LISTED_EXAMPLE = {
  customerId: '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88',
  email: 'ada@example.com',
  firstName: 'Ada',
  lastName: 'Lovelace',
  phoneNumber: null,
  version: '019a1b2c3d4e-0000-east-k3v9x2q7',
};

export const ListedCustomer = Type.Object(
  {
    ...CustomerAnswer.properties,
    version: Type.String({ description: 'In quotation marks, its ETag.' }),
  },
  { $id: 'ListedCustomer', examples: [LISTED_EXAMPLE] },
);

export const CustomerPage = Type.Object(
  {
    items: Type.Array(Type.Unsafe<Static<typeof ListedCustomer>>({ $ref: 'ListedCustomer#' })),
    nextCursor: Type.Optional(
      Type.String({ description: 'Ask for the next page with it. Absent on the last page.' }),
    ),
  },
  {
    $id: 'CustomerPage',
    examples: [{ items: [LISTED_EXAMPLE], nextCursor: 'MGE6NGYxYzlkMGUtNmE1Mw1x2y3z4a5b6' }],
  },
);

export type CustomerBody = Static<typeof CustomerBody>;
export type CustomerPatch = Omit<Static<typeof CustomerPatch>, keyof ReadOnlyMembers>;
export interface ReadOnlyMembers {
  readonly customerId?: string;
  readonly referenceId?: string;
  readonly version?: string;
}
export type CustomerAnswer = Static<typeof CustomerAnswer>;
export type ListedCustomer = Static<typeof ListedCustomer>;
export type CustomerPage = Static<typeof CustomerPage>;
export const JSON_TYPES = ['application/json'];
const PATCH_TYPES = ['application/merge-patch+json', 'application/json'];

/** Can meet any route but GET and HEAD, which do not look at a body. */
const SENT_BODY_PROBLEMS = ['malformed-json', 'body-too-large', 'unsupported-media-type'] as const;
export const BODY_PROBLEMS = [...SENT_BODY_PROBLEMS, 'limit-exceeded', 'entity-invalid'] as const;
export const VERSION_PROBLEMS = ['version-malformed', 'version-not-reached'] as const;
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

/** A body and not a query: an address of e-mail is personal, and URLs end up in logs. */
const SearchBody = Type.Object(
  { email: CustomerBody.properties.email, ...PageQuery.properties },
  { additionalProperties: false, examples: [{ email: 'ada@example.com' }] },
);

type SearchBody = Static<typeof SearchBody>;

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

/** For a filter; empty without the parameter. The format lets days through that do not exist. */
export function readChangedSince(
  text: string | undefined,
  part: Violation['in'],
): { readonly changedSinceMs?: number } {
  if (text === undefined) return {};
  const changedSinceMs = readInstantMs(text);
  if (changedSinceMs !== undefined) return { changedSinceMs };
  const message = 'must be a time that there is, as 2026-11-22T10:00:00Z';
  throw new ProblemError('validation-failed', {
    detail: 'Each entry of "errors" names a field and the rule that it breaks.',
    errors: [{ in: part, field: '/changedSince', rule: 'format', message }],
  });
}
