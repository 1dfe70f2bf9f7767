import { createHmac, timingSafeEqual } from 'node:crypto';
import { TableError } from './table-error.ts';

/** An account's name with the keys that sign for it; two, so that one can be changed while the other serves. */
export interface AccountKeys {
  readonly account: string;
  /** In base64. */
  readonly keys: readonly string[];
}

/** What of a request is signed. */
export interface SignedRequest {
  readonly method: string;
  /** As it came: with the account first where the path names it, percent-encoded. */
  readonly path: string;
  readonly comp: string | undefined;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** A request older or newer than this is refused, so that one that was overheard cannot be sent for ever. */
export const DATE_WINDOW_MS = 15 * 60_000;

const AUTHORIZATION = /^(SharedKey|SharedKeyLite) ([^:\s]+):([A-Za-z0-9+/]+={0,2})$/;

/**
 * Passes where the `Authorization` header was made with one of the account's keys. Throws
 * `InvalidAuthenticationInfo` for a header that is none and `AuthenticationFailed` for a wrong signature,
 * account or time.
 */
export function verifySharedKey(
  request: SignedRequest,
  { account, keys }: AccountKeys,
  nowMs: number,
): void {
  const match = AUTHORIZATION.exec(request.headers['authorization'] ?? '');
  if (match === null) throw new TableError('InvalidAuthenticationInfo');
  const [, scheme, signer, signature = ''] = match;
  if (signer !== account) throw new TableError('AuthenticationFailed');
  const date = request.headers['x-ms-date'] ?? request.headers['date'] ?? '';
  checkDate(date, nowMs);
  const texts = resourcesOf(request, account).map((resource) =>
    scheme === 'SharedKeyLite'
      ? `${date}\n${resource}`
      : `${request.method}\n${request.headers['content-md5'] ?? ''}\n${request.headers['content-type'] ?? ''}\n${date}\n${resource}`,
  );
  if (!texts.some((text) => isSignedBy(keys, text, signature))) {
    throw new TableError('AuthenticationFailed');
  }
}

function checkDate(date: string, nowMs: number): void {
  const time = Date.parse(date);
  if (!Number.isNaN(time) && Math.abs(time - nowMs) <= DATE_WINDOW_MS) return;
  const detail = `The date of the request is not within ${DATE_WINDOW_MS / 60_000} minutes of this server's.`;
  throw new TableError('AuthenticationFailed', detail);
}

/** Clients that turn to the secondary address sign either that address or the first one's. */
function resourcesOf({ path, comp }: SignedRequest, account: string): readonly string[] {
  const suffix = comp === undefined ? '' : `?comp=${comp}`;
  const own = `/${account}${path}${suffix}`;
  const secondary = `/${account}-secondary`;
  if (path !== secondary && !path.startsWith(`${secondary}/`)) return [own];
  return [own, `/${account}/${account}${path.slice(secondary.length)}${suffix}`];
}

/** Tells, in a time that does not depend on how much is right, whether one of the keys signed a text. */
export function isSignedBy(keys: readonly string[], text: string, signature: string): boolean {
  const given = Buffer.from(signature, 'base64');
  let isSigned = false;
  for (const key of keys) {
    const secret = Buffer.from(key, 'base64');
    // A key that was left empty is everybody's.
    if (secret.length === 0) continue;
    const expected = createHmac('sha256', secret).update(text, 'utf8').digest();
    if (given.length === expected.length && timingSafeEqual(given, expected)) isSigned = true;
  }
  return isSigned;
}
