import type { ProbeSettings } from '@tandem/core';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';

const TIMEOUT_MS = 5_000;

const checkStatus = Compile(
  Type.Object({
    probing: Type.Object({
      intervalMs: Type.Integer(),
      timeoutMs: Type.Integer(),
      toleratedFailures: Type.Integer(),
      ttlMs: Type.Integer(),
    }),
  }),
);

/** How the stand-in probes; undefined where there is none: Azure's has no such page. */
export async function readTrafficManager(
  url: string | undefined,
): Promise<ProbeSettings | undefined> {
  if (url === undefined) return undefined;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const page = `${url.replace(/\/$/, '')}/_traffic-manager/status`;
    const status: unknown = await (await fetch(page, { signal })).json();
    return checkStatus.Check(status) ? status.probing : undefined;
  } catch {
    // Not there, or something else: the settings can be given.
    return undefined;
  }
}
