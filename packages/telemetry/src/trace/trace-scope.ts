import { AsyncLocalStorage } from 'node:async_hooks';
import type { Span } from '@opentelemetry/api';
import { toTraceparent } from './trace-context.ts';

/** Which span the work in hand belongs to, through every await, without being passed along. */
export interface TraceScope {
  run<T>(span: Span, work: () => T): T;
  /** What a write that is made now carries to the other regions; undefined outside of a trace. */
  traceparent(): string | undefined;
}

export function createTraceScope(): TraceScope {
  const storage = new AsyncLocalStorage<string | undefined>();
  return {
    run: (span, work) => storage.run(toTraceparent(span.spanContext()), work),
    traceparent: () => storage.getStore(),
  };
}
