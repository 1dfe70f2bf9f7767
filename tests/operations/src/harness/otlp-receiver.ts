import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as OTLP has it in JSON, as far as tests look at it. */
export interface OtlpSpan {
  /** `service.name` of the process. */
  readonly service: string;
  /** `cloud.region` of the process. */
  readonly region: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly { readonly key: string }[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
}

export interface OtlpReceiver {
  readonly endpoint: string;
  readonly spans: readonly OtlpSpan[];
  close(): Promise<void>;
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
}

interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly Omit<OtlpSpan, 'service' | 'region'>[];
    }[];
  }[];
}

/** Takes what is exported over OTLP with http/json, as a collector would. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: OtlpSpan[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const json = JSON.parse(Buffer.concat(chunks).toString()) as ExportRequest;
      spans.push(...json.resourceSpans.flatMap(spansOf));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => {
    server.listen({ host: '127.0.0.1', port: 0 }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    spans,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function spansOf({ resource, scopeSpans }: ExportRequest['resourceSpans'][number]): OtlpSpan[] {
  const of = (key: string): string =>
    resource.attributes.find((one) => one.key === key)?.value.stringValue ?? '';
  const from = { service: of('service.name'), region: of('cloud.region') };
  return scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, ...from })));
}
