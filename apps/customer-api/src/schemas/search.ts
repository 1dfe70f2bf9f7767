import { type Static, Type } from 'typebox';
import { CustomerBody } from './customer.ts';
import { PageQuery } from './parts.ts';

/** A body and not a query: an address of e-mail is personal, and URLs end up in logs. */
export const SearchBody = Type.Object(
  { email: CustomerBody.properties.email, ...PageQuery.properties },
  { additionalProperties: false, examples: [{ email: 'ada@example.com' }] },
);

export type SearchBody = Static<typeof SearchBody>;
