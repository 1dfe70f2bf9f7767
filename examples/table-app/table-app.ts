// An order book on Azure Table Storage, by Microsoft's client alone. Its connection string says whether the table is in one
// account, or in several regions behind Tandem's endpoints:
//
//     AZURE_STORAGE_CONNECTION_STRING="…" node examples/table-app/table-app.ts
import { odata, TableClient } from '@azure/data-tables';

interface Order {
  customer: string;
  cents: number;
  paid: boolean;
}

const CUSTOMERS = ['ada', 'bob', 'eve'];
const ORDERS = 60;

const connection = process.env['AZURE_STORAGE_CONNECTION_STRING'] ?? '';
const orders = TableClient.fromConnectionString(connection, 'Orders', {
  // An Azurite or an endpoint on this machine speaks plain HTTP.
  allowInsecureConnection: connection.includes('http://127.0.0.1'),
  // While one region gives way to the other a request is repeated.
  retryOptions: { maxRetries: 8, maxRetryDelayInMs: 4_000 },
});

await orders.createTable();
for (let number = 0; number < ORDERS; number += 1) {
  const customer = CUSTOMERS[number % CUSTOMERS.length] ?? '';
  const rowKey = String(number).padStart(4, '0');
  const order: Order = { customer, cents: 100 + number, paid: false };
  await orders.upsertEntity({ partitionKey: customer, rowKey, ...order }, 'Replace');
  await orders.upsertEntity({ partitionKey: customer, rowKey, paid: number % 2 === 0 }, 'Merge');
  process.stdout.write(`order ${rowKey} of ${customer} is kept\n`);
}

for (const customer of CUSTOMERS) {
  await orders.submitTransaction([
    ['upsert', { partitionKey: customer, rowKey: 'name', text: `Customer ${customer}` }],
    ['upsert', { partitionKey: customer, rowKey: 'closed', at: new Date(0) }],
  ]);
  const filter = odata`PartitionKey eq ${customer} and RowKey eq 'closed'`;
  for await (const { rowKey } of orders.listEntities({ queryOptions: { filter } })) {
    process.stdout.write(`the book of ${customer} is ${rowKey}\n`);
  }
}
