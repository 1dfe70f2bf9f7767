import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanOptions,
  TraceFlags,
  trace,
} from '@opentelemetry/api';

/** Writes the W3C form, of version 00: it is what changes carry to the other regions. */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const LINKS_MAX = 128;

/** Is undefined for a span that nobody keeps: a change then carries nothing. */
export function toTraceparent(context: SpanContext): string | undefined {
  if ((context.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  const flags = context.traceFlags.toString(16).padStart(2, '0');
  return `00-${context.traceId}-${context.spanId}-${flags}`;
}

export function fromTraceparent(text: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}

/** Returns the context of a span whose parent is named so; that of a new trace when nothing is. */
export function contextOf(traceparent: string | undefined): Context {
  const parent = fromTraceparent(traceparent);
  return parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
}

/**
 * Where work on several writes belongs: into the trace of the one write, or, for a batch, into a
 * trace of its own that is linked to each of theirs.
 */
export function placeOf(traces: readonly string[]): {
  readonly context: Context;
  readonly options: Pick<SpanOptions, 'links'>;
} {
  const distinct = [...new Set(traces)];
  const [only] = distinct;
  if (distinct.length === 1) return { context: contextOf(only), options: {} };
  const links = distinct.slice(0, LINKS_MAX).flatMap((text): Link[] => {
    const context = fromTraceparent(text);
    return context === undefined ? [] : [{ context }];
  });
  return { context: ROOT_CONTEXT, options: { links } };
}

/** Knows which span the work in hand belongs to, through every await, without being passed along. */
export interface TraceScope {
  run<T>(span: Span, work: () => T): T;
  /** Returns what a write that is made now carries to the other regions; undefined outside of a trace. */
  traceparent(): string | undefined;
}

export function createTraceScope(): TraceScope {
  const storage = new AsyncLocalStorage<string | undefined>();
  return {
    run: (span, work) => storage.run(toTraceparent(span.spanContext()), work),
    traceparent: () => storage.getStore(),
  };
}
