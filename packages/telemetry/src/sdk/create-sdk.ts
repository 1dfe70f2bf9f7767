// The only part that knows OpenTelemetry's SDK; loaded when telemetry is asked for.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Static } from 'typebox';
import type {
  SAMPLERS,
  Telemetry,
  TelemetryEnvironmentSchema,
  TelemetryOptions,
  TelemetryStart,
} from '../telemetry.ts';

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

/** Returns undefined when there are to be none, a sentence when they cannot be served. */
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

type SamplerName = (typeof SAMPLERS)[number];

const CREATE: Record<SamplerName, (ratio: number) => Sampler> = {
  always_on: () => new AlwaysOnSampler(),
  always_off: () => new AlwaysOffSampler(),
  traceidratio: (ratio) => new TraceIdRatioBasedSampler(ratio),
  parentbased_always_on: () => new ParentBasedSampler({ root: new AlwaysOnSampler() }),
  parentbased_always_off: () => new ParentBasedSampler({ root: new AlwaysOffSampler() }),
  parentbased_traceidratio: (ratio) =>
    new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
};

export function createSampler(name: SamplerName, ratio: number): Sampler {
  return CREATE[name](ratio);
}

type MetricsServing =
  | { readonly kind: 'serving'; readonly port: number; close(): Promise<void> }
  /** Returns a sentence that names the address and the settings to change. */
  | { readonly kind: 'refused'; readonly reason: string };

const PATH = '/metrics';
const REQUEST_TIMEOUT_MS = 10_000;
const CONNECTIONS_MAX = 32;

/** Serves `/metrics` and nothing else, on a port of its own, so that no ingress carries it outside. */
async function serveMetrics(
  exporter: Pick<PrometheusExporter, 'getMetricsRequestHandler'>,
  address: { readonly host: string; readonly port: number },
): Promise<MetricsServing> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    const isAsked = request.method === 'GET' && request.url?.split('?')[0] === PATH;
    if (isAsked) exporter.getMetricsRequestHandler(request, response);
    else response.writeHead(404).end();
  });
  server.maxConnections = CONNECTIONS_MAX;
  const failed = await new Promise<Error | undefined>((resolve) => {
    server.once('error', resolve).listen(address, () => resolve(undefined));
  });
  if (failed !== undefined) {
    const code = 'code' in failed ? String(failed.code) : failed.message;
    return {
      kind: 'refused',
      reason:
        `/metrics cannot be served on ${address.host} port ${address.port} (${code}): set ` +
        'OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT to others.',
    };
  }
  return {
    kind: 'serving',
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
