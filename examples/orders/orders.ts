// PUT /ada writes orders of Ada in one transaction, {"001":"pump","002":"valve"}; GET /ada lists them in order.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { defineEntityKind, edm } from '@tandem/core';
import { openRegion } from '@tandem/region';
import { Type } from 'typebox';

const { REGION_ID: name = '', STORAGE_CONNECTION: store = '', ...environment } = process.env;
const schema = Type.Object({ customer: edm.string(), item: edm.string({ maxLength: 80 }) });
const partitionOf = (id: string): string => id.split('/', 1)[0] ?? '';
const tables = { orders: defineEntityKind({ name: 'Orders', schema, partitionOf }) };
const region = await openRegion({ region: name, store, tables, environment, replicate: true });
const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const customer = request.url?.slice(1) ?? '';
  try {
    const session = region.session({ token: request.headers['x-session']?.toString() });
    const put = ([order, item]: [string, string]) =>
      ({ kind: 'put', entityId: `${customer}/${order}`, entity: { customer, item } }) as const;
    const given = request.method === 'PUT' ? ((await json(request)) as Record<string, string>) : {};
    const { orders } = session.tables;
    if (request.method === 'PUT') await orders.transact(Object.entries(given).map(put));
    const page = await orders.list(100, undefined, { equals: { customer } });
    response.setHeader('x-session', session.token());
    response.end(JSON.stringify(page.records.map(({ entity }) => entity.item)));
  } catch (error) {
    response.writeHead(503).end(String(error));
  }
};
const server = createServer((...pair) => void serve(...pair)).listen(environment['PORT']);
process.once('SIGTERM', () => server.close(() => void region.stop().finally(() => process.exit())));
