import type { CustomerApi } from './create-api-client.ts';
import type { components } from './schema.generated.ts';

type ListedCustomer = components['schemas']['ListedCustomer'];

const PAGE_LIMIT_DEFAULT = 200;

/**
 * All customers of the region that answers, page by page. Throws when a page is answered with a
 * problem, naming its status and type.
 */
export async function* eachCustomer(
  api: CustomerApi,
  limit = PAGE_LIMIT_DEFAULT,
): AsyncGenerator<ListedCustomer> {
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? { limit } : { limit, cursor };
    const { data, error, response } = await api.GET('/customers', { params: { query } });
    if (data === undefined) {
      throw new Error(`A page was answered with ${response.status} ${error.type}.`);
    }
    yield* data.items;
    cursor = data.nextCursor;
  } while (cursor !== undefined);
}
