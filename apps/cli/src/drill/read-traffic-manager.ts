import { type ProbeSettings, readInstantMs } from '@tandem/core';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';

const TIMEOUT_MS = 5_000;

const StatusSchema = Type.Object({
  probing: Type.Object({
    intervalMs: Type.Integer(),
    timeoutMs: Type.Integer(),
    toleratedFailures: Type.Integer(),
    ttlMs: Type.Integer(),
  }),
  current: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  endpoints: Type.Array(Type.Object({ name: Type.String(), state: Type.String() })),
  transitions: Type.Array(Type.Object({ at: Type.String() })),
});
const checkStatus = Compile(StatusSchema);

export interface TrafficManagerSight {
  readonly probing: ProbeSettings;
  /** The one that it sends clients to; undefined where it says none. */
  readonly current: string | undefined;
  /** Those that it counts on. */
  readonly online: readonly string[];
  /** When it last changed its mind about one, in milliseconds; undefined when it never did. */
  readonly changedMs: number | undefined;
}

/**
 * Reads what the stand-in says of itself; undefined where there is none: Azure's has no such page.
 */
export async function readTrafficManager(
  url: string | undefined,
): Promise<TrafficManagerSight | undefined> {
  if (url === undefined) return undefined;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const page = `${url.replace(/\/$/, '')}/_traffic-manager/status`;
    const status: unknown = await (await fetch(page, { signal })).json();
    return checkStatus.Check(status) ? sightOf(status) : undefined;
  } catch {
    // Not there, or something else: the settings can be given.
    return undefined;
  }
}

function sightOf({
  probing,
  current,
  endpoints,
  transitions,
}: Static<typeof StatusSchema>): TrafficManagerSight {
  const changes = transitions.flatMap(({ at }) => readInstantMs(at) ?? []);
  return {
    probing,
    current: current ?? undefined,
    online: endpoints.flatMap(({ name, state }) => (state === 'online' ? [name] : [])),
    changedMs: changes.length === 0 ? undefined : Math.max(...changes),
  };
}
