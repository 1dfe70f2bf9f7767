import { type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { Telemetry } from './telemetry.ts';
import { contextOf, type TraceScope } from './trace/trace-ports.ts';

export interface HttpExchange {
  /** Does the work within the span of the request. */
  run(work: () => void): void;
  /** Ends the span; it is called once, when the answer is out. */
  end(answer: { readonly status: number; readonly durationMs: number }): void;
}

/** Is the pattern of the route, never the address itself: that names who was asked for. */
export interface HttpRequest {
  readonly method: string;
  readonly route: string;
  readonly traceparent: string | undefined;
}

/** Follows the semantic conventions of OpenTelemetry, in seconds. */
const DURATION_BOUNDARIES = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
];
const MS_PER_S = 1_000;
const SERVER_ERROR = 500;

/** Makes spans and durations of requests by the semantic conventions; undefined where telemetry is off. */
export function createHttpTelemetry(
  { tracer, meter }: Pick<Telemetry, 'tracer' | 'meter'>,
  scope: TraceScope,
): ((request: HttpRequest) => HttpExchange) | undefined {
  if (tracer === undefined && meter === undefined) return undefined;
  const durations = meter?.createHistogram('http.server.request.duration', {
    unit: 's',
    description: 'Duration of HTTP server requests.',
    advice: { explicitBucketBoundaries: DURATION_BOUNDARIES },
  });
  return ({ method, route, traceparent }) => {
    const attributes = { 'http.request.method': method, 'http.route': route };
    const span = tracer?.startSpan(
      `${method} ${route}`,
      { kind: SpanKind.SERVER, attributes },
      contextOf(traceparent),
    );
    return {
      run: (work) => (span === undefined ? work() : scope.run(span, work)),
      end({ status, durationMs }) {
        endSpan(span, status);
        const answered = { ...attributes, 'http.response.status_code': status };
        durations?.record(durationMs / MS_PER_S, answered);
      },
    };
  };
}

function endSpan(span: Span | undefined, status: number): void {
  span?.setAttribute('http.response.status_code', status);
  if (status >= SERVER_ERROR) {
    span?.setAttribute('error.type', String(status)).setStatus({ code: SpanStatusCode.ERROR });
  }
  span?.end();
}
