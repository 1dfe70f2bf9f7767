export {
  type ClientOptions,
  type CustomerApi,
  createApiClient,
  eachCustomer,
} from './create-api-client.ts';
export type * from './schema.generated.ts';
