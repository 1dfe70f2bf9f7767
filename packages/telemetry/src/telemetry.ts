import type { Meter, Tracer } from '@opentelemetry/api';
import type { Environment } from '@tandem/service-kit';

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
