import '../require-node.ts';
import { type Static, Type } from 'typebox';
import { defineEntityKind, edm, type TypedKind } from '../entity-kind/entity-kind.ts';
import { isGuidText } from '../values/field-value.ts';

/** Longest e-mail address that mail servers carry (RFC 5321, with the angle brackets off). */
const EMAIL_LENGTH_MAX = 254;
const NAME_LENGTH_MAX = 200;
const PHONE_LENGTH_MAX = 50;
/** Is the length of a SHA-256 in base64url. */
const DIGEST_LENGTH = 43;

const CustomerSchema = Type.Object({
  email: edm.string({ maxLength: EMAIL_LENGTH_MAX, pattern: '^[^@\\s]+@[^@\\s]+$' }),
  firstName: edm.string({ maxLength: NAME_LENGTH_MAX }),
  lastName: edm.string({ maxLength: NAME_LENGTH_MAX }),
  phoneNumber: edm.string({ maxLength: PHONE_LENGTH_MAX }),
  /**
   * Identifies the request that created the customer, when that could be repeated; no client sees it. It
   * travels with the customer, so that every region knows a repetition from another request.
   */
  creationDigest: edm.string({ maxLength: DIGEST_LENGTH }),
});

export type Customer = Static<typeof CustomerSchema>;

/** The only entity kind that the packages know of; its id is a GUID in lower case. */
export const customerKind: TypedKind<typeof CustomerSchema> = defineEntityKind({
  name: 'Customers',
  schema: CustomerSchema,
  // Whoever replaces a customer does not make it one that no key has created.
  keptFields: ['creationDigest'],
  isEntityId: (text) => isGuidText(text) && text === text.toLowerCase(),
});
