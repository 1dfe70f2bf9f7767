import type { Meter, Tracer } from '@opentelemetry/api';
import { NOTICE_KINDS, type Notices } from '@tandem/core';
import type { Environment } from '@tandem/service-kit';
import { Type } from 'typebox';

export type { Meter, Tracer } from '@opentelemetry/api';

/** What a process measures and traces with. Where telemetry is off there is none of it at all. */
export interface Telemetry {
  /** Is undefined when no traces are exported: then nothing is wrapped, and a write costs no more. */
  readonly tracer: Tracer | undefined;
  /** Is undefined when no metrics are exported. */
  readonly meter: Meter | undefined;
  /** Is where `/metrics` is served; undefined where it is not. */
  readonly metricsPort: number | undefined;
  /** Sends what is left. Idempotent. */
  stop(): Promise<void>;
}

export const TELEMETRY_OFF: Telemetry = {
  tracer: undefined,
  meter: undefined,
  metricsPort: undefined,
  stop: async () => undefined,
};

export interface TelemetryOptions {
  readonly service: string;
  readonly region: string;
  readonly environment: Environment;
}

export type TelemetryStart =
  | { readonly kind: 'started'; readonly telemetry: Telemetry }
  /** Has a sentence for each setting that cannot be used. */
  | { readonly kind: 'invalid'; readonly problems: readonly string[] };

export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

/** Lists the standard variables of OpenTelemetry that are obeyed; those of its OTLP exporters work too. */
export const TelemetryEnvironmentSchema = Type.Object({
  OTEL_SDK_DISABLED: Type.Boolean({
    description: 'Turns all telemetry off, whatever the others say.',
    default: false,
  }),
  OTEL_SERVICE_NAME: Type.Optional(
    Type.String({ description: 'The name of the service, if another than its own.', minLength: 1 }),
  ),
  OTEL_TRACES_EXPORTER: Type.Enum(['none', 'otlp'], {
    description:
      'Where traces go: nowhere, or over OTLP (http/json) to OTEL_EXPORTER_OTLP_ENDPOINT.',
    default: 'none',
    examples: ['otlp'],
  }),
  OTEL_METRICS_EXPORTER: Type.Enum(['none', 'otlp', 'prometheus'], {
    description: 'Where metrics go: nowhere, over OTLP, or to whoever asks for /metrics.',
    default: 'none',
    examples: ['prometheus'],
  }),
  OTEL_EXPORTER_PROMETHEUS_HOST: Type.String({
    description: 'The address on which /metrics is served: never the public one of the service.',
    default: '127.0.0.1',
    minLength: 1,
    examples: ['0.0.0.0'],
  }),
  OTEL_EXPORTER_PROMETHEUS_PORT: Type.Integer({
    description: 'The port on which /metrics is served; 0 takes a free one.',
    minimum: 0,
    maximum: 65_535,
    default: 9_464,
    examples: [9_464],
  }),
  OTEL_TRACES_SAMPLER: Type.Enum([...SAMPLERS], {
    description:
      'Which traces are kept. With a parentbased sampler the caller decides for its requests, so that a ' +
      'client can have all of its own kept, or none.',
    default: 'traceidratio',
    examples: ['always_off'],
  }),
  OTEL_TRACES_SAMPLER_ARG: Type.Number({
    description: 'The share of traces that a ratio sampler keeps.',
    minimum: 0,
    maximum: 1,
    default: 1,
    examples: [0.1],
  }),
});

/** Measures what a process has noticed, by kind, whenever someone asks. */
export function measureNotices(
  meter: Meter,
  notices: () => Pick<Notices, 'current' | 'count'> | undefined,
): void {
  meter
    .createObservableGauge('tandem.notices', {
      unit: '{notice}',
      description: 'What was met lately and an operator has to see to, by kind.',
    })
    .addCallback((result) => {
      const current = notices()?.current() ?? [];
      for (const kind of NOTICE_KINDS) {
        const count = current.filter((one) => one.kind === kind).length;
        result.observe(count, { 'tandem.notice': kind });
      }
    });
  meter
    .createObservableCounter('tandem.notices.met', {
      unit: '{time}',
      description:
        'How often such was met since the start: claims refused, rows skipped, and so on.',
    })
    .addCallback((result) => {
      for (const kind of NOTICE_KINDS) {
        result.observe(notices()?.count(kind) ?? 0, { 'tandem.notice': kind });
      }
    });
}
