import { SpanKind, type Tracer } from '@opentelemetry/api';
import type { Applier, Archive, ChangePublisher, ChangeSet } from '@tandem/core';
import { traceWork } from './trace-work.ts';

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
