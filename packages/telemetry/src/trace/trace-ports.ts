import {
  type Attributes,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
} from '@opentelemetry/api';
import {
  AppError,
  type Applier,
  type Archive,
  type ChangePublisher,
  type ChangeSet,
} from '@tandem/core';
import { placeOf } from './trace-context.ts';

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
