import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { JudgeRequest } from '@tandem/core';
import type { ProcessReadiness } from '@tandem/region';
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify';
import { ImportReportLine } from './bulk/import-customers.ts';
import type { Pace } from './bulk/pace.ts';
import type { CustomerService } from './customers/customer-service.ts';
import {
  BODY_BYTES_MAX,
  CONNECTION_TIMEOUT_MS,
  CONNECTIONS_CHECK_MS,
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  LONG_REQUEST_TIMEOUT_MS,
  PARAM_LENGTH_MAX,
  STREAM_PACE,
} from './http/limits.ts';
import { type ApiTokenVerifier, authPlugin } from './plugins/auth.ts';
import { jsonBodyPlugin } from './plugins/json-body.ts';
import { openapiPlugin } from './plugins/openapi.ts';
import {
  createClientErrorHandler,
  lastAnswersPlugin,
  problemsPlugin,
  sendProblem,
} from './plugins/problems.ts';
import {
  bodyTimeoutPlugin,
  httpRulesPlugin,
  loadSheddingPlugin,
  rateLimitPlugin,
  securityHeadersPlugin,
} from './plugins/protection.ts';
import {
  commonHeadersPlugin,
  RequestLogger,
  requestLogPlugin,
  setCommonHeaders,
  type TelemetryPluginOptions,
  telemetryPlugin,
} from './plugins/request-log.ts';
import { BatchAnswer } from './routes/batch.ts';
import { customerRoutes } from './routes/customers.ts';
import { CustomerAnswer, CustomerPage, ListedCustomer } from './routes/customers-schema.ts';
import { healthRoutes, LiveAnswer, ReadyAnswer } from './routes/health.ts';
import { CustomerHistory } from './routes/history.ts';
import { ProblemTypeAnswer, problemTypeRoutes } from './routes/problem-types.ts';
import { ReceiptAnswer } from './routes/receipt.ts';
import { ProblemAnswer } from './routes/schema-parts.ts';
import { compileValidator } from './validation/validator.ts';

export interface AppOptions {
  readonly region: string;
  readonly customers: CustomerService;
  /** Never throws, and answers within the time that a probe waits. */
  readonly readiness: () => Promise<ProcessReadiness>;
  /** How slow the clients of streams may be; `STREAM_PACE` by default. */
  readonly pace?: Pace | undefined;
  /** Tells the readiness of this process alone. */
  readonly serving: () => ProcessReadiness;
  /** Undefined when everything is open to everyone who can reach it. */
  readonly verifyToken?: ApiTokenVerifier | undefined;
  /** Undefined when pages of any site may ask, under any name. */
  readonly judgeRequest?: JudgeRequest | undefined;
  /** Bounds the requests of one caller; it counts only where tokens are asked for. */
  readonly requestsPerMinuteMax: number;
  /** Beyond it requests are refused; 0 refuses none. */
  readonly eventLoopDelayMsMax: number;
  /** Traces and measures requests; undefined where telemetry is off. */
  readonly observe?: TelemetryPluginOptions['observe'] | undefined;
  readonly logger: FastifyBaseLogger;
  /** Makes an id that is unique, whatever trace a request belongs to. */
  readonly newRequestId: () => string;
}

/** The answers that routes refer to by their ids. */
const SHARED_SCHEMAS = [
  CustomerAnswer,
  ListedCustomer,
  CustomerPage,
  CustomerHistory,
  BatchAnswer,
  ImportReportLine,
  ReceiptAnswer,
  ProblemAnswer,
  ProblemTypeAnswer,
  LiveAnswer,
  ReadyAnswer,
];

/** Builds the server, which does not listen yet. The registrations are its table of contents. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { region, customers, readiness, serving, verifyToken } = options;
  const { eventLoopDelayMsMax, requestsPerMinuteMax, pace = STREAM_PACE } = options;
  const app = createServer(options);

  if (options.observe !== undefined) {
    await app.register(telemetryPlugin, { observe: options.observe });
  }
  await app.register(commonHeadersPlugin, { region });
  await app.register(securityHeadersPlugin);
  await app.register(requestLogPlugin);
  await app.register(lastAnswersPlugin);
  await app.register(problemsPlugin);
  await app.register(httpRulesPlugin, { judgeRequest: options.judgeRequest });
  await app.register(bodyTimeoutPlugin);
  await app.register(jsonBodyPlugin);

  await app.register(openapiPlugin);
  await app.register(authPlugin, { verifyToken });

  for (const schema of SHARED_SCHEMAS) app.addSchema(schema);
  await app.register(async (guarded) => {
    await guarded.register(loadSheddingPlugin, { eventLoopDelayMsMax });
    // Only callers are counted, and without tokens there are none.
    if (verifyToken !== undefined) {
      await guarded.register(rateLimitPlugin, { perMinuteMax: requestsPerMinuteMax });
    }
    await guarded.register(customerRoutes, { customers, pace });
  });
  await app.register(healthRoutes, { region, readiness, serving });
  await app.register(problemTypeRoutes);
  return app;
}

function createServer({ region, logger, newRequestId }: AppOptions): FastifyInstance {
  const app = fastify({
    loggerInstance: logger,
    // The request log is a plugin of this app: the framework's own writes the URL, query and all.
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'requestId',
    }),
    childLoggerFactory: (parent, bindings, own) => new RequestLogger(parent, bindings, own),
    // Never what a client sends: two requests of one trace would share an id, and it could choose another's.
    genReqId: () => newRequestId(),
    // The longest of any route: the others have theirs from protection.ts.
    requestTimeout: LONG_REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    // A request without a host is answered as any other that is malformed: see protection.ts.
    http: {
      requireHostHeader: false,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
    },
    // While it stops it still answers what arrives on open connections, and closes them after.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    frameworkErrors: (error, request, reply) => {
      setCommonHeaders(reply, { region, requestId: request.id });
      sendProblem(error, { request, reply });
    },
    clientErrorHandler: createClientErrorHandler({ region, newRequestId }),
  });
  app.setValidatorCompiler(compileValidator);
  return app.withTypeProvider<TypeBoxTypeProvider>();
}
