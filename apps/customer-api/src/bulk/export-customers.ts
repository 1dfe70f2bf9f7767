import type { ListFilter } from '@tandem/storage';
import type { CustomerKind, CustomerService } from '../customers/customer-service.ts';
import { EXPORT_PAGE_ROWS } from '../http/limits.ts';
import { toListed } from '../routes/send-page.ts';
import type { ListedCustomer } from '../schemas/customer.ts';

/** Page after page, and the next only when it is asked for. */
export async function* exportCustomers(
  customers: Pick<CustomerService, 'list'>,
  filter: ListFilter<CustomerKind>,
): AsyncGenerator<readonly ListedCustomer[]> {
  let cursor: string | undefined;
  do {
    const page = await customers.list(EXPORT_PAGE_ROWS, cursor, filter);
    yield page.records.map(toListed);
    ({ cursor } = page);
  } while (cursor !== undefined);
}
