import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import {
  AppError,
  type Applier,
  type Archive,
  type ChangePublisher,
  type ChangeSet,
} from '@tandem/core';

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

// Each adds a span to what a port does for writes that are traced, and nothing where tracing is off.

export function traceArchive(archive: Archive, tracer: Tracer | undefined): Archive {
  if (tracer === undefined) return archive;
  return {
    has: (key) => archive.has(key),
    read: (span) => archive.read(span),
    append: (entries) =>
      traceWork(
        {
          tracer,
          name: 'archive change sets',
          kind: SpanKind.CLIENT,
          attributes: { 'tandem.change_set.count': entries.length },
          traces: tracesOf(entries.map(({ set }) => set)),
        },
        () => archive.append(entries),
      ),
  };
}

export function tracePublisher(
  publisher: ChangePublisher,
  tracer: Tracer | undefined,
): ChangePublisher {
  if (tracer === undefined) return publisher;
  const { peer } = publisher;
  return {
    peer,
    close: () => publisher.close(),
    publish: (messages) =>
      traceWork(
        {
          tracer,
          name: `send ${peer}`,
          kind: SpanKind.PRODUCER,
          attributes: {
            'messaging.system': 'servicebus',
            'messaging.operation.name': 'send',
            'messaging.operation.type': 'send',
            'messaging.batch.message_count': messages.length,
            'tandem.peer': peer,
          },
          traces: messages.flatMap(({ traces = [] }) => traces),
        },
        () => publisher.publish(messages),
      ),
  };
}

export function traceApplier(applier: Applier, tracer: Tracer | undefined): Applier {
  if (tracer === undefined) return applier;
  return {
    acceptConflicts: (conflicts) => applier.acceptConflicts(conflicts),
    judgeFragment: (head) => applier.judgeFragment(head),
    bucketOf: (conflict) => applier.bucketOf(conflict),
    apply: (received, onMerged) =>
      traceWork(
        {
          tracer,
          name: 'apply change sets',
          kind: SpanKind.CONSUMER,
          attributes: {
            'messaging.system': 'servicebus',
            'messaging.operation.name': 'apply',
            'messaging.operation.type': 'process',
            'tandem.change_set.count': received.length,
          },
          traces: tracesOf(received.map(({ set }) => set)),
        },
        () => applier.apply(received, onMerged),
      ),
  };
}

function tracesOf(sets: readonly ChangeSet[]): string[] {
  return sets.flatMap(({ changes }) => changes.flatMap(({ trace }) => trace ?? []));
}

interface TracedWork {
  readonly tracer: Tracer;
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: Attributes;
  /** Names the traces of the writes that it is done for; without any, nobody asks after it and there is no span. */
  readonly traces: readonly string[];
}

/** Does the work within a span. Names and counts only: a message of an error may name a person. */
async function traceWork<T>(traced: TracedWork, work: () => Promise<T>): Promise<T> {
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
