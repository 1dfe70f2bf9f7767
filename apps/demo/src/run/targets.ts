import type { Cluster, Region } from '@tandem/local-cluster';
import { type CustomerClient, createCustomerClient } from '../api/customer-client.ts';
import { createOrderClient, createOrderTable } from '../api/order-client.ts';
import type { CustomerFields, DemoCustomer, DemoFields } from '../customers/make-customers.ts';
import type { DemoReport } from '../report/demo-report.ts';

/** Is what is written, and whom it is written to. */
export interface Target<F extends DemoFields = DemoFields> {
  readonly kind: DemoReport['kind'];
  readonly customers: readonly DemoCustomer<F>[];
  prepare(regions: readonly Region[]): Promise<void>;
  open(region: Region): CustomerClient<F>;
  /** Opens what finds the region that serves. */
  openFront(cluster: Cluster): CustomerClient<F>;
}

export function customersTarget(
  customers: readonly DemoCustomer[],
): Target<CustomerFields> & Target {
  const open = (url: string): CustomerClient => createCustomerClient(url);
  const target: Target<CustomerFields> = {
    kind: 'customers',
    customers,
    prepare: async () => undefined,
    open: ({ addresses }) => open(addresses.api),
    openFront: ({ trafficManagerUrl }) => open(trafficManagerUrl),
  };
  return target;
}

/** Returns the same for transactions of orders in a table, through the Table endpoints. */
export function ordersTarget(
  table: string,
  customers: readonly DemoCustomer<DemoFields>[],
): Target {
  const open = (regions: readonly Region[]): CustomerClient<DemoFields> =>
    createOrderClient(
      table,
      regions.map(({ name, addresses }) => ({ name, connection: addresses.tableEndpoint })),
    );
  return {
    kind: 'orders',
    customers,
    prepare: (regions) =>
      createOrderTable(
        table,
        regions.map(({ addresses }) => addresses.tableEndpoint),
      ),
    open: (region) => open([region]),
    openFront: ({ regions }) => open(regions),
  };
}
