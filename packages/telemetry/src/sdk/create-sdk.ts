// The only part that knows OpenTelemetry's SDK; loaded when telemetry is asked for.
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Static } from 'typebox';
import type { TelemetryOptions, TelemetryStart } from '../start-telemetry.ts';
import type { Telemetry } from '../telemetry.ts';
import type { TelemetryEnvironmentSchema } from '../telemetry-environment.ts';
import { createSampler } from './create-sampler.ts';
import { serveMetrics } from './serve-metrics.ts';

type Settings = Static<typeof TelemetryEnvironmentSchema>;

const SCOPE = 'tandem';

export async function createSdk(
  options: TelemetryOptions,
  settings: Settings,
): Promise<TelemetryStart> {
  const resource = describeResource(options, settings);
  const traces =
    settings.OTEL_TRACES_EXPORTER === 'none'
      ? undefined
      : createTracing(
          resource,
          settings,
          new BatchSpanProcessor({ exporter: new OTLPTraceExporter() }),
        );
  const metrics = await createMetrics(resource, settings);
  if (typeof metrics === 'string') return { kind: 'invalid', problems: [metrics] };
  const telemetry: Telemetry = {
    tracer: traces?.getTracer(SCOPE),
    meter: metrics?.provider.getMeter(SCOPE),
    metricsPort: metrics?.port,
    async stop() {
      await Promise.all([traces?.shutdown(), metrics?.stop()]);
    },
  };
  return { kind: 'started', telemetry };
}

function createTracing(
  resource: Resource,
  settings: Pick<Settings, 'OTEL_TRACES_SAMPLER' | 'OTEL_TRACES_SAMPLER_ARG'>,
  processor: SpanProcessor,
): TracerProvider {
  return new TracerProvider({
    resource,
    sampler: createSampler(settings.OTEL_TRACES_SAMPLER, settings.OTEL_TRACES_SAMPLER_ARG),
    spanProcessors: [processor],
  });
}

function describeResource(
  { service, region }: Pick<TelemetryOptions, 'service' | 'region'>,
  settings: Pick<Settings, 'OTEL_SERVICE_NAME'>,
): Resource {
  const own = resourceFromAttributes({
    'service.name': settings.OTEL_SERVICE_NAME ?? service,
    'service.namespace': 'tandem',
    'cloud.region': region,
  });
  return defaultResource()
    .merge(own)
    .merge(detectResources({ detectors: [envDetector] }));
}

interface Metrics {
  readonly provider: MeterProvider;
  readonly port: number | undefined;
  stop(): Promise<void>;
}

/** Undefined when there are to be none; a sentence when they cannot be served. */
async function createMetrics(
  resource: Resource,
  settings: Settings,
): Promise<Metrics | string | undefined> {
  switch (settings.OTEL_METRICS_EXPORTER) {
    case 'none':
      return undefined;
    case 'otlp': {
      const reader = new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() });
      const provider = new MeterProvider({ resource, readers: [reader] });
      return { provider, port: undefined, stop: () => provider.shutdown() };
    }
    default: {
      const exporter = new PrometheusExporter({
        preventServerStart: true,
        withoutScopeInfo: true,
        withResourceConstantLabels: /^cloud\.region$/,
      });
      const provider = new MeterProvider({ resource, readers: [exporter] });
      const serving = await serveMetrics(exporter, {
        host: settings.OTEL_EXPORTER_PROMETHEUS_HOST,
        port: settings.OTEL_EXPORTER_PROMETHEUS_PORT,
      });
      if (serving.kind === 'refused') return serving.reason;
      return {
        provider,
        port: serving.port,
        async stop() {
          await serving.close();
          await provider.shutdown();
        },
      };
    }
  }
}
