export { type ClientOptions, createApiClient, type CustomerApi } from './create-api-client.ts';
export { eachCustomer } from './each-customer.ts';
export type { components, operations, paths } from './schema.generated.ts';
