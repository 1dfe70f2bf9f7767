import type { DemoCustomer, DemoFields } from './make-customers.ts';

const ORDERS_PER_TRANSACTION = 10;
const CUSTOMERS = 100;
const ITEMS = ['pump', 'valve', 'gasket', 'hose', 'filter', 'motor', 'sensor'];

/** Makes the same orders every time, in transactions of ten of one customer each, the last one of what is left. */
export function makeOrders(count: number): readonly DemoCustomer<DemoFields>[] {
  const starts = Array.from(
    { length: Math.ceil(count / ORDERS_PER_TRANSACTION) },
    (_, nth) => nth * ORDERS_PER_TRANSACTION,
  );
  return starts.map((start, nth) => {
    const numbers = Array.from(
      { length: Math.min(ORDERS_PER_TRANSACTION, count - start) },
      (_, at) => start + at,
    );
    const orders = numbers.map((number) => [
      String(number % ORDERS_PER_TRANSACTION),
      `${1 + (number % 9)} ${ITEMS[number % ITEMS.length]}`,
    ]);
    const customer = `customer${String(nth % CUSTOMERS).padStart(3, '0')}`;
    const customerId = `${customer}/${String(nth).padStart(6, '0')}`;
    return { customerId, fields: Object.fromEntries(orders) as DemoFields };
  });
}
