const TIMEOUT_MS = 5_000;
const READY = 200;
const NOT_READY = 503;

/** Whether the region says that it may take traffic; undefined when it says neither. */
export async function readReadiness(api: string): Promise<boolean | undefined> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(`${api.replace(/\/$/, '')}/health/ready`, { signal });
    await response.body?.cancel();
    if (response.status === READY) return true;
    return response.status === NOT_READY ? false : undefined;
  } catch {
    // It is down, or out of reach: both are no answer.
    return undefined;
  }
}
