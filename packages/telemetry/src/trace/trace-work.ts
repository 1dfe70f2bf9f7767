import {
  type Attributes,
  type Span,
  type SpanKind,
  SpanStatusCode,
  type Tracer,
} from '@opentelemetry/api';
import { AppError } from '@tandem/core';
import { placeOf } from './trace-context.ts';

export interface TracedWork {
  readonly tracer: Tracer;
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: Attributes;
  /** Of the writes that it is done for; without any, nobody asks after it and there is no span. */
  readonly traces: readonly string[];
}

/** Does the work within a span. Names and counts only: a message of an error may name a person. */
export async function traceWork<T>(traced: TracedWork, work: () => Promise<T>): Promise<T> {
  const { tracer, name, kind, attributes, traces } = traced;
  if (traces.length === 0) return work();
  const { context, options } = placeOf(traces);
  const span = tracer.startSpan(name, { kind, attributes, ...options }, context);
  try {
    return await work();
  } catch (error) {
    noteError(span, error);
    throw error;
  } finally {
    span.end();
  }
}

function noteError(span: Span, error: unknown): void {
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.setAttribute('error.type', error instanceof AppError ? error.code : 'UNEXPECTED');
}
