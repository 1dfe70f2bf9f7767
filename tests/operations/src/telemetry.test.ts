import { readFileSync } from 'node:fs';
import { type Cluster, type LocalProcess, startCluster } from '@tandem/local-cluster';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { namedMetrics, scrapedMetrics } from './harness/named-metrics.ts';
import { type OtlpReceiver, type OtlpSpan, startOtlpReceiver } from './harness/otlp-receiver.ts';
import { until } from './harness/until.ts';

const ROOT = new URL('../../../', import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, ROOT), 'utf8');

const AlertFile = Type.Object({
  groups: Type.Array(
    Type.Object({
      name: Type.String(),
      rules: Type.Array(
        Type.Object({
          alert: Type.String({ pattern: '^Tandem[A-Za-z]+$' }),
          expr: Type.String(),
          for: Type.Optional(Type.String({ pattern: '^\\d+[smh]$' })),
          labels: Type.Object({ severity: Type.Enum(['warning', 'critical']) }),
          annotations: Type.Object({
            summary: Type.String(),
            description: Type.String(),
            runbook_url: Type.String(),
          }),
        }),
        { minItems: 1 },
      ),
    }),
  ),
});

/** What Grafana asks of a dashboard that it loads. */
const Dashboard = Type.Object({
  uid: Type.String({ maxLength: 40 }),
  title: Type.String({ minLength: 1 }),
  schemaVersion: Type.Integer({ minimum: 36 }),
  templating: Type.Object({ list: Type.Array(Type.Object({ name: Type.String() })) }),
  panels: Type.Array(
    Type.Object({
      id: Type.Integer(),
      type: Type.Enum(['timeseries', 'stat']),
      title: Type.String({ minLength: 1 }),
      gridPos: Type.Object({
        h: Type.Integer({ minimum: 1 }),
        w: Type.Integer({ minimum: 1, maximum: 24 }),
        x: Type.Integer({ minimum: 0, maximum: 23 }),
        y: Type.Integer({ minimum: 0 }),
      }),
      targets: Type.Array(Type.Object({ refId: Type.String(), expr: Type.String() }), {
        minItems: 1,
      }),
    }),
    { minItems: 1 },
  ),
});

const alerts = Value.Parse(AlertFile, parse(read('observability/alerts.yaml')));
const dashboard = Value.Parse(Dashboard, JSON.parse(read('observability/grafana-dashboard.json')));

const PERSON = {
  email: 'grace.hopper@example.com',
  lastName: 'Hopper',
  phoneNumber: '+1 555 0100',
};

let receiver: OtlpReceiver;
let cluster: Cluster;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  const telemetry = {
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_BSP_SCHEDULE_DELAY: '200',
    OTEL_METRICS_EXPORTER: 'prometheus',
    OTEL_EXPORTER_PROMETHEUS_PORT: '0',
  };
  const names = ['east', 'west'].flatMap((region) => [
    `API of ${region}`,
    `replicator of ${region}`,
    `Table endpoint of ${region}`,
  ]);
  cluster = await startCluster({
    environment: Object.fromEntries(names.map((name) => [name, telemetry])),
  });
});

afterAll(async () => {
  await cluster?.stop();
  await receiver?.close();
});

/** From the line with which the process says that it is ready. */
async function scrape(process: LocalProcess): Promise<string> {
  const line = readFileSync(process.logFile, 'utf8')
    .split('\n')
    .find((one) => one.includes('"metricsPort"'));
  const { metricsPort } = JSON.parse(line ?? '{}') as { readonly metricsPort?: number };
  return (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
}

function processesOf({ regions }: Cluster): LocalProcess[] {
  return regions.flatMap(({ api, replicator, tableEndpoint }) => [api, replicator, tableEndpoint]);
}

/** Of the requests that a process has answered with a status. */
async function routesOf(process: LocalProcess, status: string): Promise<Set<string>> {
  return until('requests that were answered', async () => {
    const lines = (await scrape(process)).split('\n');
    const counts = lines.filter((line) => line.startsWith('http_server_request_duration_count{'));
    const own = counts.filter((line) => line.includes(`http_response_status_code="${status}"`));
    const routes = own.map((line) => /http_route="([^"]*)"/.exec(line)?.[1] ?? '');
    return routes.length === 0 ? undefined : new Set(routes);
  });
}

async function put(id: string): Promise<void> {
  const response = await fetch(`${cluster.region('east').addresses.api}/customers/${id}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(PERSON),
  });
  expect(response.status, await response.text()).toBe(201);
}

const isOf = (region: string, service: string, name: RegExp) => (span: OtlpSpan) =>
  span.region === region && span.service === service && name.test(span.name);
const isWrite = isOf('east', 'customer-api', /^PUT \/customers\/:customerId$/);
const isApply = isOf('west', 'replicator', /^apply change sets$/);

describe('telemetry of whole regions', () => {
  test('one write is one trace: request, archive, message, apply in the other region', async () => {
    await put('4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88');
    const write = await until('the write', async () => receiver.spans.find(isWrite));
    await until('its apply', async () => receiver.spans.find(isApply));
    const own = await until('the archive', async () => {
      const found = receiver.spans.filter(({ traceId }) => traceId === write.traceId);
      return found.some(({ name }) => name === 'archive change sets') ? found : undefined;
    });
    expect(own.map(({ region, name }) => `${region}: ${name}`)).toEqual(
      expect.arrayContaining([
        'east: PUT /customers/:customerId',
        'east: archive change sets',
        'east: send west',
        'west: apply change sets',
      ]),
    );
    const inner = own.filter(({ name }) => name !== write.name);
    expect(new Set(inner.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([write.spanId]));
  });

  test('writes that travel together are linked to what is done for all of them', async () => {
    const ids = Array.from(
      { length: 60 },
      (_, index) => `4f1c9d0e-6a53-4b3e-9f0a-${String(index).padStart(12, '0')}`,
    );
    await Promise.all(ids.map(put));
    const linked = await until('a batch', async () =>
      receiver.spans.find((span) => isApply(span) && (span.links?.length ?? 0) > 1),
    );
    const writes = await until('the writes of the batch', async () => {
      const known = new Set(receiver.spans.filter(isWrite).map(({ spanId }) => spanId));
      return linked.links?.every(({ spanId }) => known.has(spanId)) ? known : undefined;
    });
    expect(writes.size).toBeGreaterThan(1);
    expect(linked.parentSpanId ?? '').toBe('');
  });

  test('every metric of the alerts and of the dashboard is in a real scrape', async () => {
    const processes = processesOf(cluster);
    const rules = alerts.groups.flatMap(({ rules: own }) => own);
    const queries = dashboard.panels.flatMap(({ targets }) => targets);
    const named = [...rules, ...queries].flatMap(({ expr }) => namedMetrics(expr));
    expect(new Set(named).size).toBeGreaterThan(12);
    await until('all metrics', async () => {
      const scrapes = await Promise.all(processes.map(scrape));
      const known = scrapedMetrics(scrapes.join('\n'));
      const missing = [...new Set(named)].filter((name) => !known.has(name));
      if (missing.length > 0) throw new Error(`not in any scrape: ${missing.join(', ')}`);
      return true;
    });
    for (const { expr } of [...rules, ...queries]) {
      expect(namedMetrics(expr), expr).not.toEqual([]);
    }
    for (const { annotations } of rules) {
      expect(read(annotations.runbook_url), annotations.runbook_url).toContain('# ');
    }
  });

  test('the alerts of the Table endpoint are of its requests, and of no others', async () => {
    const { tableEndpoint, addresses, api } = cluster.region('east');
    const base = /TableEndpoint=([^;]+)/.exec(addresses.tableEndpoint)?.[1];
    const forged = {
      'x-ms-date': new Date().toUTCString(),
      authorization: 'SharedKeyLite devstoreaccount1:AAAA',
    };
    for (const path of ['Tables', 'Orders', '$batch', "Orders(PartitionKey='p',RowKey='r')"]) {
      expect((await fetch(`${base}/${path}`, { headers: forged })).status).toBe(403);
    }
    const exprs = alerts.groups
      .flatMap(({ rules }) => rules)
      .filter(({ alert }) => alert.startsWith('TandemTableEndpoint'))
      .map(({ expr }) => expr);
    const asked = exprs.flatMap((expr) => [...expr.matchAll(/http_route=~"([^"]+)"/g)]);
    expect(asked.length).toBeGreaterThan(5);
    const isAsked = (route: string): boolean =>
      asked.every(([, pattern]) => new RegExp(`^(?:${pattern})$`).test(route));
    const refused = await routesOf(tableEndpoint, '403');
    expect(refused.size).toBe(4);
    expect([...refused].filter((route) => !isAsked(route))).toEqual([]);
    expect([...(await routesOf(api, '201'))].filter(isAsked)).toEqual([]);
  });

  test('a client who asks for what there is not alarms nobody: his 501 is no failure of a region', () => {
    const failing = alerts.groups
      .flatMap(({ rules }) => rules)
      .filter(({ alert }) => /(?:Fails|Errors)$/.test(alert))
      .flatMap(({ expr }) => [...expr.matchAll(/response_status_code=~?"([^"]+)"/g)])
      .map(([, pattern]) => new RegExp(`^(?:${pattern})$`));
    expect(failing.length).toBeGreaterThan(1);
    for (const pattern of failing) {
      expect(['500', '501', '404'].filter((status) => pattern.test(status))).toEqual(['500']);
    }
  });

  test('nothing of a person is in any metric, span or attribute', async () => {
    const processes = processesOf(cluster);
    const scrapes = await Promise.all(processes.map(scrape));
    const exported = JSON.stringify(receiver.spans) + scrapes.join('\n');
    expect(exported).toContain('/customers/:customerId');
    for (const secret of [...Object.values(PERSON), '4f1c9d0e-6a53', 'AccountKey']) {
      expect(exported).not.toContain(secret);
    }
  });
});
