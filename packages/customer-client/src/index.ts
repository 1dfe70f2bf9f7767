export { type ClientOptions, type CustomerApi, createApiClient } from './create-api-client.ts';
export { eachCustomer } from './each-customer.ts';
export type * from './schema.generated.ts';
