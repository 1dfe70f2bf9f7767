/**
 * A program: the least that Fastify needs to answer GET and PUT of a customer with the schemas of the API's
 * own document, over a map.
 */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { fastify } from 'fastify';

const DOCUMENT = new URL('../../../apps/customer-api/openapi.json', import.meta.url);
const ROUTE = '/customers/:customerId';

interface Document {
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
  readonly paths: Readonly<Record<string, { readonly put: { readonly requestBody: RequestBody } }>>;
}
interface RequestBody {
  readonly content: Readonly<Record<string, { readonly schema: object }>>;
}
type Customer = Record<string, unknown>;

const document = JSON.parse(readFileSync(DOCUMENT, 'utf8')) as Document;
const answer = document.components.schemas['Customer'];
const body =
  document.paths['/customers/{customerId}']?.put.requestBody.content['application/json']?.schema;
const customers = new Map<string, Customer>();
const app = fastify({ ajv: { customOptions: { strict: false } } });
const response = { 200: answer, 201: answer };

app.get<{ Params: { customerId: string } }>(ROUTE, { schema: { response } }, (request, reply) => {
  const customer = customers.get(request.params.customerId);
  return customer === undefined ? reply.code(404).send() : customer;
});

app.put<{ Params: { customerId: string }; Body: Customer }>(
  ROUTE,
  { schema: { body, response } },
  (request, reply) => {
    const { customerId } = request.params;
    const customer = { customerId, ...request.body };
    reply.code(customers.has(customerId) ? 200 : 201);
    customers.set(customerId, customer);
    return customer;
  },
);

process.on('disconnect', () => process.exit());
await app.listen({ host: '127.0.0.1', port: 0 });
const { port } = app.server.address() as AddressInfo;
process.stdout.write(`${JSON.stringify({ event: 'ready', port })}\n`);
