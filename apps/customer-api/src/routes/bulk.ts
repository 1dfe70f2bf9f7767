import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { createPlaces } from '@tandem/region';
import type { ListFilter } from '@tandem/storage';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import {
  type ImportOptions,
  importCustomers,
  toNdjson,
  toReportLine,
} from '../bulk/import-customers.ts';
import { type Pace, PaceKeeper } from '../bulk/pace.ts';
import type { CustomerKind, CustomerService } from '../customers/customer-service.ts';
import {
  EXPORT_PAGE_ROWS,
  EXPORTS_AT_ONCE_MAX,
  EXPORTS_PER_CALLER_MAX,
  IMPORTS_AT_ONCE_MAX,
  IMPORTS_PER_CALLER_MAX,
  LONG_REQUEST_TIMEOUT_MS,
} from '../http/limits.ts';
import { ProblemError } from '../http/problem.ts';
import { readIdempotencyKey } from '../idempotency/idempotency-key.ts';
import { placeHolder, requireScope } from '../plugins/auth.ts';
import { logUnexpected } from '../plugins/problems.ts';
import { refuseConditions } from '../preconditions/preconditions.ts';
import { compileValidator } from '../validation/validator.ts';
import { toListed } from './answer-customer.ts';
import { type ListedCustomer, readChangedSince } from './customers-schema.ts';
import {
  ChangedSince,
  guardedResponses,
  IDEMPOTENCY_KEY,
  NDJSON,
  ndjsonResponse,
  tags,
} from './schema-parts.ts';

export const importRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
  readonly pace: Pace;
}> = async (app, { customers, pace }) => {
  const places = createPlaces({
    what: 'imports',
    countMax: IMPORTS_AT_ONCE_MAX,
    perCallerMax: IMPORTS_PER_CALLER_MAX,
  });
  let isStopping = false;
  app.addHook('preClose', async () => {
    isStopping = true;
  });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser(NDJSON, (_request, body, done) => done(null, body));
  const options = {
    schema: importSchema,
    config: { bodyTimeoutMs: LONG_REQUEST_TIMEOUT_MS },
    validatorCompiler: (part: Parameters<typeof compileValidator>[0]) =>
      // The body is a stream: its lines are looked at as they come.
      part.httpPart === 'body' ? () => true : compileValidator(part),
  };
  app.post('/customers/import', options, async (request, reply) => {
    refuseConditions(request.headers);
    if (!(request.body instanceof Readable)) throw linesExpected();
    // Asks once whether the tables are open, before an answer begins.
    customers.isPreconditionRequired();
    const { firstLine = 1 } = request.query;
    const key = readIdempotencyKey(request.headers['idempotency-key'], request.caller);
    const leave = places.take(placeHolder(request));
    const onTooSlow = (): void => {
      request.log.warn({ event: 'import-too-slow', ...pace }, 'A client imports too slowly.');
      request.raw.destroy();
    };
    const sending = new PaceKeeper({ ...pace, onTooSlow });
    const taking = new PaceKeeper({ ...pace, onTooSlow });
    const pieces = sending.sends(request.body.iterator({ destroyOnReturn: false }));
    const work = { customers, key, firstLine, isStopping: () => isStopping };
    const lines = Readable.from(taking.takes(report(request, { pieces, work })));
    // Not by the generator: one that was never asked for anything has no end either.
    return reply.type(NDJSON).send(lines.once('close', leave));
  });
};

interface Import {
  readonly pieces: AsyncIterable<Buffer>;
  readonly work: ImportOptions;
}

async function* report(request: FastifyRequest, { pieces, work }: Import): AsyncGenerator<string> {
  try {
    for await (const event of importCustomers(pieces, work)) {
      if ('error' in event) logUnexpected(event.error, request.log);
      yield toNdjson(toReportLine(event, request.id));
    }
  } catch (error) {
    if (!request.raw.destroyed) throw error;
    // Whoever went away half way through a line hears nothing any more.
    request.log.info({ event: 'import-cut-off' }, 'A client left its import unfinished.');
  }
}

function linesExpected(): ProblemError {
  return new ProblemError('unsupported-media-type', {
    detail: `Send lines of JSON, as ${NDJSON}.`,
  });
}

type Pages = AsyncGenerator<readonly ListedCustomer[]>;

export const exportRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
  readonly pace: Pace;
}> = async (app, { customers, pace }) => {
  const places = createPlaces({
    what: 'exports',
    countMax: EXPORTS_AT_ONCE_MAX,
    perCallerMax: EXPORTS_PER_CALLER_MAX,
  });
  // Before GET: a HEAD made of that would read the whole table, to throw it away.
  const options = { schema: exportSchema };
  app.head('/customers/export', options, async (_request, reply) => reply.type(NDJSON).send());
  app.get('/customers/export', options, async (request, reply) => {
    const filter = readChangedSince(request.query.changedSince, 'query');
    const leave = places.take(placeHolder(request));
    try {
      const pages = exportCustomers(customers, filter);
      // Before the answer begins: a table that does not answer is still a 503.
      const first = await pages.next();
      const texts = textOf(first.done === true ? [] : first.value, pages);
      const keeper = new PaceKeeper({
        ...pace,
        onTooSlow: () => {
          request.log.warn({ event: 'export-too-slow', ...pace }, 'A client reads too slowly.');
          reply.raw.destroy();
        },
      });
      const text = Readable.from(keeper.takes(texts));
      // Not by the generator: one that was never asked for anything has no end either.
      return reply.type(NDJSON).send(text.once('close', leave));
    } catch (error) {
      leave();
      throw error;
    }
  });
};

/** Ends its reading of the table when the client goes away: the stream is then destroyed. */
async function* textOf(first: readonly ListedCustomer[], pages: Pages): AsyncGenerator<string> {
  yield first.map(toNdjson).join('');
  for await (const page of pages) yield page.map(toNdjson).join('');
}

/** Page after page, and the next only when it is asked for. */
async function* exportCustomers(
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

const LINE_NUMBER_MAX = 1_000_000_000;

const ImportQuery = Type.Object(
  {
    firstLine: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LINE_NUMBER_MAX,
        default: 1,
        description:
          'The number of the first line sent: to go on where an import ended, send the lines ' +
          'after its last settledThrough, and here the number of the first of them.',
      }),
    ),
  },
  { additionalProperties: false },
);

const ImportHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      ...IDEMPOTENCY_KEY,
      description:
        'Lets lines go without a customerId: it then follows from the key and the number of the ' +
        'line, so that the same lines may be sent again and make no second customers.',
    }),
  ),
});

const ExportQuery = Type.Object({ ...ChangedSince }, { additionalProperties: false });

const importSchema = {
  operationId: 'importCustomers',
  security: requireScope('customers.write'),
  summary: 'Create or replace customers from lines of JSON, one to a line',
  description:
    'Each line is a whole customer, with its `customerId`; what an export wrote can be imported ' +
    'as it is (`version` and `referenceId` are not used). The table is written while the lines ' +
    'arrive, and no faster are they read. The answer is a report in lines of JSON, which begins ' +
    'before the last line is read: what failed and how far it has come. A line that fails stops ' +
    'nothing. To go on after a break, send the lines after the last `settledThrough`; to send one ' +
    'again is harmless. Where the region demands preconditions an import only creates.',
  tags,
  consumes: [NDJSON],
  querystring: ImportQuery,
  headers: ImportHeaders,
  body: Type.Unsafe<AsyncIterable<Buffer>>({
    type: 'string',
    description: 'Lines of JSON in UTF-8, each at most 16 KiB; empty lines count and do nothing.',
    examples: ['{"customerId":"4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88","email":"ada@example.com"}\n'],
  }),
  response: guardedResponses(['version-malformed', 'unsupported-media-type', 'malformed-json'], {
    200: ndjsonResponse('ImportReportLine', {
      description: 'The report. Only a last line with `outcome` tells that it is whole.',
    }),
  }),
};

const exportSchema = {
  operationId: 'exportCustomers',
  security: requireScope('customers.read'),
  summary: 'Read all customers as lines of JSON, one to a line',
  description:
    'In the order of the list, each as it is when it is read. Whoever reads slowly slows the ' +
    'reading of the table. An export that is broken off ends without the last chunk of its ' +
    'transfer coding, which any client reports as an error.',
  tags,
  querystring: ExportQuery,
  response: guardedResponses(['version-malformed'], {
    200: ndjsonResponse('ListedCustomer', { description: 'The customers.' }),
  }),
};
