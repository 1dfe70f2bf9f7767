import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { importCustomers, type ImportOptions } from '../bulk/import-customers.ts';
import { toNdjson, toReportLine } from '../bulk/import-report.ts';
import { type Pace, PaceKeeper } from '../bulk/pace.ts';
import type { CustomerService } from '../customers/customer-service.ts';
import {
  IMPORTS_AT_ONCE_MAX,
  IMPORTS_PER_CALLER_MAX,
  LONG_REQUEST_TIMEOUT_MS,
} from '../http/limits.ts';
import { createPlaces, placeHolder } from '../http/places.ts';
import { ProblemError } from '../http/problem.ts';
import { logUnexpected } from '../http/send-problem.ts';
import { readIdempotencyKey } from '../idempotency/read-idempotency-key.ts';
import { refuseConditions } from '../preconditions/preconditions.ts';
import { importSchema } from '../schemas/bulk-routes.ts';
import { NDJSON } from '../schemas/parts.ts';
import { compileValidator } from '../validation/validator.ts';

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
