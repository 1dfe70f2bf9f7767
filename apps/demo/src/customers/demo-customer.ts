export const CUSTOMER_FIELDS = ['email', 'firstName', 'lastName', 'phoneNumber'] as const;

export type CustomerField = (typeof CUSTOMER_FIELDS)[number];

/** What is written and compared. Null is a field without a value. */
export type CustomerFields = Readonly<Record<CustomerField, string | null>>;

/** One customer to write. Without an id the API makes one. */
export interface DemoCustomer {
  /** A GUID in lower case. */
  readonly customerId: string | null;
  readonly fields: CustomerFields;
}
