import { expect, onTestFinished, test } from 'vitest';
import { startTelemetry } from './start-telemetry.ts';
import type { Telemetry } from './telemetry.ts';

async function start(environment: Record<string, string>): Promise<Telemetry> {
  const outcome = await startTelemetry({ service: 'replicator', region: 'east', environment });
  if (outcome.kind === 'invalid') throw new Error(outcome.problems.join('\n'));
  onTestFinished(() => outcome.telemetry.stop());
  return outcome.telemetry;
}

const PROMETHEUS = { OTEL_METRICS_EXPORTER: 'prometheus', OTEL_EXPORTER_PROMETHEUS_PORT: '0' };

test.each([
  [{}],
  [{ OTEL_METRICS_EXPORTER: 'none', OTEL_TRACES_EXPORTER: '' }],
  [{ ...PROMETHEUS, OTEL_TRACES_EXPORTER: 'otlp', OTEL_SDK_DISABLED: 'true' }],
])('nothing is measured, traced or served with %j', async (environment) => {
  const telemetry = await start(environment);
  expect(telemetry).toMatchObject({ tracer: undefined, meter: undefined, metricsPort: undefined });
});

test('metrics are served on a port of their own, on loopback, with the region', async () => {
  const { meter, tracer, metricsPort } = await start(PROMETHEUS);
  expect(tracer).toBeUndefined();
  meter
    ?.createObservableGauge('tandem.replication.lag', { unit: 's' })
    .addCallback((result) => result.observe(1.5, { 'tandem.peer': 'west' }));
  const origin = `http://127.0.0.1:${metricsPort}`;
  const scrape = await (await fetch(`${origin}/metrics`)).text();
  expect(scrape).toMatch(
    /^tandem_replication_lag\{(?=.*tandem_peer="west").*cloud_region="east".*\} 1\.5/m,
  );
  expect((await fetch(`${origin}/`)).status).toBe(404);
  expect((await fetch(`${origin}/metrics`, { method: 'POST' })).status).toBe(404);
});

test('a port that is taken, and a setting that is wrong, are told in words', async () => {
  const { metricsPort } = await start(PROMETHEUS);
  const again = (environment: Record<string, string>) =>
    startTelemetry({ service: 'replicator', region: 'east', environment });
  expect(
    await again({ ...PROMETHEUS, OTEL_EXPORTER_PROMETHEUS_PORT: String(metricsPort) }),
  ).toEqual({ kind: 'invalid', problems: [expect.stringContaining('EADDRINUSE')] });
  expect(await again({ OTEL_TRACES_EXPORTER: 'zipkin', OTEL_TRACES_SAMPLER_ARG: '2' })).toEqual({
    kind: 'invalid',
    problems: [
      expect.stringContaining('OTEL_TRACES_EXPORTER'),
      expect.stringContaining('OTEL_TRACES_SAMPLER_ARG'),
    ],
  });
});
