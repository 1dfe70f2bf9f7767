import { request } from 'node:http';
import type { LookupFunction } from 'node:net';
import type { ProbeOutcome } from '../monitoring/profile.ts';

export interface ProbeRequest {
  readonly url: string;
  readonly timeoutMs: number;
  readonly lookup: LookupFunction;
  /** Gives the probe up at once; its outcome then means nothing. */
  readonly signal: AbortSignal;
}

const HEALTHY_STATUS = 200;

/**
 * Probes once. 200 is healthy; any other status (a redirect is not followed), a time-out and a
 * failed connection are not. Never throws. Each probe opens a connection of its own, as those of
 * Traffic Manager do: a process that accepts none any more must not look healthy over an old one.
 */
export async function probeEndpoint(probe: ProbeRequest): Promise<ProbeOutcome> {
  const startedAt = performance.now();
  const timeout = AbortSignal.timeout(probe.timeoutMs);
  const result = await getStatus(probe, AbortSignal.any([timeout, probe.signal])).then(
    (status) => ({ ok: status === HEALTHY_STATUS, status }),
    (error: unknown) => ({
      ok: false as const,
      error: timeout.aborted ? `no answer within ${probe.timeoutMs} ms` : describe(error),
    }),
  );
  return { ...result, durationMs: Math.round(performance.now() - startedAt) };
}

async function getStatus({ url, lookup }: ProbeRequest, signal: AbortSignal): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const outgoing = request(url, { agent: false, lookup, signal }, (response) => {
    // The status decides. The body is read away until the time-out so that the endpoint can finish.
    response.on('error', reject);
    response.resume();
    resolve(response.statusCode ?? 0);
  });
  outgoing.on('error', reject);
  outgoing.end();
  return promise;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return error.message === '' ? code : `${code}: ${error.message}`;
}
