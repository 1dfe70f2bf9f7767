import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';

/**
 * Keys of an issuer, as `createRemoteJWKSet` reads and caches them, but for those that it does not know:
 * it is made so that it never asks for these by itself.
 */
export interface IssuerKeys extends JWTVerifyGetKey {
  /** Whether they are young enough to be used without asking. */
  readonly fresh: boolean;
  /** The last that were read. */
  jwks(): JSONWebKeySet | undefined;
  /** Reads them anew. */
  reload(): Promise<void>;
}

export interface OutliveOptions {
  /** How long keys are used that cannot be read anew, in milliseconds. */
  readonly staleMsMax: number;
  /** An issuer that has failed is asked again no sooner: requests would all wait for it. */
  readonly cooldownMs: number;
  /** Never goes back. */
  readonly nowMs: () => number;
}

/**
 * The same keys, which an issuer that does not answer takes away only after `staleMsMax`, and among which
 * one is found that was rotated in since they were read. Rejects with the issuer's failure for a key that
 * was not known before.
 */
export function outliveIssuer(keys: IssuerKeys, options: OutliveOptions): JWTVerifyGetKey {
  const { staleMsMax, cooldownMs, nowMs } = options;
  const askAnew = createKeyQuestions(keys, nowMs);
  let freshMs = 0;
  let failure: { readonly error: unknown; readonly atMs: number } | undefined;

  const readAnew: JWTVerifyGetKey = async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      failure = { error, atMs: nowMs() };
      throw error;
    } finally {
      if (keys.fresh) {
        freshMs = nowMs();
        failure = undefined;
      }
    }
  };

  return async (header, token) => {
    if (keys.fresh) {
      try {
        return await readAnew(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      }
      await askAnew(header.kid);
      return readAnew(header, token);
    }
    const known = keys.jwks();
    const isCooling = failure !== undefined && nowMs() < failure.atMs + cooldownMs;
    let reason = failure?.error;
    if (known === undefined || !isCooling) {
      try {
        return await readAnew(header, token);
      } catch (error) {
        if (isAboutToken(error)) throw error;
        reason = error;
      }
    }
    if (known === undefined || nowMs() > freshMs + staleMsMax) throw reason;
    return createLocalJWKSet(known)(header, token).catch((error: unknown) => {
      throw error instanceof errors.JWKSNoMatchingKey ? reason : error;
    });
  };
}

/** Tells what is wrong with a token, and with its key, from an issuer that does not answer. */
export function isAboutToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

/** The issuer is asked for unknown keys this often in a row, and then no more often than that. */
const QUESTIONS_IN_ROW_MAX = 4;
const QUESTION_EVERY_MS = 5_000;
/** A key that the issuer does not know either is not asked for again in this time. */
const UNKNOWN_MS = 10_000;

/**
 * Asks the issuer for a key that is not known: once for each, and together with whoever asks at the same
 * time. Whoever forges key ids makes it a question every five seconds, which costs an issuer nothing and
 * still finds a key that was rotated in meanwhile.
 */
function createKeyQuestions(
  keys: Pick<IssuerKeys, 'reload'>,
  nowMs: () => number,
): (keyId: string | undefined) => Promise<void> {
  const askedAtMs = new Map<string, number>();
  let left = QUESTIONS_IN_ROW_MAX;
  let countedMs = nowMs();
  let asking: Promise<void> | undefined;

  const mayAsk = (keyId: string): boolean => {
    const gained = Math.floor((nowMs() - countedMs) / QUESTION_EVERY_MS);
    left = Math.min(QUESTIONS_IN_ROW_MAX, left + gained);
    countedMs += gained * QUESTION_EVERY_MS;
    // What is younger was counted, so there are only a few.
    for (const [asked, atMs] of askedAtMs) {
      if (nowMs() >= atMs + UNKNOWN_MS) askedAtMs.delete(asked);
    }
    if (left === 0 || askedAtMs.has(keyId)) return false;
    left -= 1;
    askedAtMs.set(keyId, nowMs());
    return true;
  };

  return async (keyId = '') => {
    if (asking === undefined && mayAsk(keyId)) {
      asking = keys.reload().finally(() => {
        asking = undefined;
      });
    }
    await asking;
  };
}
