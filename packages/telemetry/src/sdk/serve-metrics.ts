import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PrometheusExporter } from '@opentelemetry/exporter-prometheus';

export type MetricsServing =
  | { readonly kind: 'serving'; readonly port: number; close(): Promise<void> }
  /** A sentence that names the address and the settings to change. */
  | { readonly kind: 'refused'; readonly reason: string };

const PATH = '/metrics';
const REQUEST_TIMEOUT_MS = 10_000;
const CONNECTIONS_MAX = 32;

/** Serves `/metrics` and nothing else, on a port of its own, so that no ingress carries it outside. */
export async function serveMetrics(
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
