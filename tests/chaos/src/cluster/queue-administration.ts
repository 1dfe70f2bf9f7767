/** The queue of every region, as @tandem/local-cluster names it. */
export const QUEUE = 'customer';

/**
 * Shorter than the product has it: a replicator that is paused loses its locks, and what a killed one
 * had in hand comes again within a run of a minute.
 */
const LOCK_DURATION = 'PT15S';

const CALL_MS_MAX = 10_000;

/** Changes the lock duration of a region's queue, which must exist. */
export async function shortenLocks(adminConnection: string): Promise<void> {
  await call(adminConnection, {
    method: 'PUT',
    headers: { 'if-match': '*', 'content-type': 'application/atom+xml' },
    body: entryOf(`<LockDuration>${LOCK_DURATION}</LockDuration>`),
  });
}

/** Everything in the queue is gone, as if it had never been sent. */
export async function purgeQueue(adminConnection: string): Promise<void> {
  await call(adminConnection, { method: 'DELETE' });
  await call(adminConnection, {
    method: 'PUT',
    headers: { 'content-type': 'application/atom+xml' },
    body: entryOf(
      `<LockDuration>${LOCK_DURATION}</LockDuration><MaxDeliveryCount>2000</MaxDeliveryCount>`,
    ),
  });
}

function entryOf(settings: string): string {
  return (
    '<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">' +
    '<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">' +
    `${settings}</QueueDescription></content></entry>`
  );
}

async function call(adminConnection: string, request: RequestInit): Promise<void> {
  const [, authority] = /^Endpoint=sb:\/\/([^;/]+)/.exec(adminConnection) ?? [];
  if (authority === undefined) throw new Error(`no address in ${adminConnection}`);
  const url = `http://${authority}/${QUEUE}?api-version=2021-05`;
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(CALL_MS_MAX) });
  const text = await response.text();
  // Another process may have created the queue again meanwhile, or removed it.
  if (response.ok || response.status === 409 || response.status === 404) return;
  throw new Error(`${request.method} ${url} was answered with ${response.status}: ${text}`);
}
