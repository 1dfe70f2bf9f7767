import { customerKind } from '@tandem/core/customers';
import { CUSTOMER_ID, REFERENCE_LENGTH_MAX, VERSION_LENGTH_MAX } from './parts.ts';
import { type Static, type TSchema, type TString, type TUnsafe, Type } from 'typebox';

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
