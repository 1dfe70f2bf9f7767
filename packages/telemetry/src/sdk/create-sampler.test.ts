import { ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api';
import { SamplingDecision } from '@opentelemetry/sdk-trace';
import { Value } from 'typebox/value';
import { expect, test } from 'vitest';
import { TelemetryEnvironmentSchema } from '../telemetry.ts';
import { createSampler } from './create-sdk.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';

/** Whether a request is kept whose caller says so, or says not to. */
function keeps(sampler: ReturnType<typeof createSampler>, traceFlags: TraceFlags): boolean {
  const spanContext = { traceId: TRACE_ID, spanId: 'b7ad6b7169203331', traceFlags, isRemote: true };
  const context = trace.setSpanContext(ROOT_CONTEXT, spanContext);
  const { decision } = sampler.shouldSample(context, TRACE_ID, 'GET', SpanKind.SERVER, {}, []);
  return decision === SamplingDecision.RECORD_AND_SAMPLED;
}

test.each([0, 1])('by default no client decides what is kept, at a share of %d', (share) => {
  const environment = Value.Default(TelemetryEnvironmentSchema, {}) as {
    OTEL_TRACES_SAMPLER: 'traceidratio';
  };
  const sampler = createSampler(environment.OTEL_TRACES_SAMPLER, share);
  expect(keeps(sampler, TraceFlags.SAMPLED)).toBe(share === 1);
  expect(keeps(sampler, TraceFlags.NONE)).toBe(share === 1);
});

test('a parentbased sampler follows the caller', () => {
  const sampler = createSampler('parentbased_traceidratio', 0);
  expect(keeps(sampler, TraceFlags.SAMPLED)).toBe(true);
  expect(keeps(createSampler('parentbased_always_on', 1), TraceFlags.NONE)).toBe(false);
});
