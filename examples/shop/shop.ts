// A shop over Fastify, in as many regions as its environment names: products are of a kind with fields, reviews are rows whose
// columns nobody declares. A caller carries what he has seen in `x-session`, and asks by `prefer: ack=queued` that a write be
// in the other regions' queues before it is answered: then the loss of this region cannot lose it.
//
//     PUT /products/pump {"name":"Pump 7","cents":4200}     GET /products/pump
//     PUT /products/pump/reviews/ada {"stars":5}            GET /products/pump/reviews
import { AppError, defineEntityKind, edm } from '@tandem/core';
import { defineOpenTable, openRegion, versionOf } from '@tandem/region';
import fastify, { type FastifyRequest } from 'fastify';
import { Type } from 'typebox';

const { REGION_ID: name = '', STORAGE_CONNECTION: store = '', ...environment } = process.env;
/** How long the other regions' queues are waited for, in milliseconds. */
const QUEUED_MS_MAX = 2_000;

const schema = Type.Object({ name: edm.string({ maxLength: 80 }), cents: edm.int32() });
const region = await openRegion({
  region: name,
  store,
  tables: {
    products: defineEntityKind({ name: 'Products', schema }),
    reviews: defineOpenTable({ name: 'Reviews' }),
  },
  environment,
  replicate: true,
});

const app = fastify({ requestTimeout: 30_000, bodyLimit: 64 * 1_024 });

type Session = ReturnType<typeof region.session>;
const sessions = new WeakMap<FastifyRequest, Session>();

/** What this caller may see is no older than what he has seen, in whichever region. */
function sessionOf(request: FastifyRequest): Session {
  const begun = sessions.get(request);
  if (begun !== undefined) return begun;
  const session = region.session({ token: request.headers['x-session']?.toString() });
  sessions.set(request, session);
  return session;
}

app.addHook('onSend', async (request, reply) => {
  const session = sessions.get(request);
  if (session !== undefined) reply.header('x-session', session.token());
});

// What may succeed later is told apart from what never will.
app.setErrorHandler((error, _request, reply) => {
  if (!(error instanceof AppError)) return reply.send(error);
  if (error.retryable) reply.header('retry-after', '1');
  return reply.code(error.retryable ? 503 : 400).send({ code: error.code, detail: error.message });
});

interface Product {
  readonly Params: { readonly product: string };
  readonly Body: { readonly name: string; readonly cents: number };
}

app.put<Product>('/products/:product', async (request, reply) => {
  const outcome = await sessionOf(request).tables.products.put(
    request.params.product,
    request.body,
  );
  const version = versionOf(outcome);
  if (request.headers['prefer'] === 'ack=queued' && version !== undefined) {
    const asked = { peers: 'all', waitMs: QUEUED_MS_MAX } as const;
    const { level, peers } = await region.tables.products.acknowledgementOf(version, asked);
    // Peers that are out of reach are not waited for, so a caller who needs one looks who has it. `local` where none
    // was reached in time: the write is made, and will be sent.
    reply.header('x-acknowledged', level).header('x-acknowledged-by', peers.join(','));
  }
  return reply.code(outcome.kind === 'created' ? 201 : 200).send({ done: outcome.kind });
});

app.get<Product>('/products/:product', async (request, reply) => {
  const found = await sessionOf(request).tables.products.get(request.params.product);
  return found?.entity ?? reply.code(404).send({ code: 'NOT_FOUND' });
});

interface Review {
  readonly Params: { readonly product: string; readonly reader: string };
  readonly Body: { readonly stars: number };
}

app.put<Review>('/products/:product/reviews/:reader', async (request) => {
  const { product: partitionKey, reader: rowKey } = request.params;
  const values = new Map([['stars', { type: 'Int32', value: request.body.stars }]] as const);
  const outcome = await sessionOf(request).tables.reviews.put({ partitionKey, rowKey }, values);
  return { done: outcome.kind };
});

app.get<Review>('/products/:product/reviews', async (request) => {
  const page = await sessionOf(request).tables.reviews.query({ partition: request.params.product });
  const starsOf = (values: (typeof page.records)[number]['values']): unknown =>
    values.get('stars')?.value;
  return Object.fromEntries(page.records.map(({ rowKey, values }) => [rowKey, starsOf(values)]));
});

/** Traffic Manager asks this: a region that is behind takes no traffic. */
app.get('/health/ready', async (_request, reply) => {
  const readiness = await region.readiness();
  return reply.code(readiness.kind === 'ready' ? 200 : 503).send(readiness);
});

const stop = async (): Promise<void> => {
  await app.close();
  process.exit((await region.stop()) ? 0 : 1);
};
process.once('SIGTERM', () => void stop());
await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 0) });
