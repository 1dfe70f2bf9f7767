import { describeProblem, readEnvironment } from '@tandem/service-kit';
import {
  TELEMETRY_OFF,
  TelemetryEnvironmentSchema,
  type TelemetryOptions,
  type TelemetryStart,
} from './telemetry.ts';

/**
 * Starts what the standard variables ask for; unless they do, nothing, and no library is loaded.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<TelemetryStart> {
  const reading = readEnvironment(TelemetryEnvironmentSchema, options.environment);
  if (!reading.ok) return { kind: 'invalid', problems: reading.problems.map(describeProblem) };
  const { value } = reading;
  const isOff =
    value.OTEL_SDK_DISABLED ||
    (value.OTEL_TRACES_EXPORTER === 'none' && value.OTEL_METRICS_EXPORTER === 'none');
  if (isOff) return { kind: 'started', telemetry: TELEMETRY_OFF };
  const { createSdk } = await import('./sdk/create-sdk.ts');
  return createSdk(options, value);
}
