import {
  createLocalJWKSet,
  errors,
  exportJWK,
  generateKeyPair,
  type JSONWebKeySet,
  jwtVerify,
  SignJWT,
} from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { outliveIssuer } from './outlive-issuer.ts';

const AGE_MS = 600_000;
const STALE_MS = 3_600_000;
const COOLDOWN_MS = 30_000;

let pair: Awaited<ReturnType<typeof generateKeyPair>>;
let jwks: JSONWebKeySet;

beforeAll(async () => {
  pair = await generateKeyPair('ES256');
  jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'known', alg: 'ES256' }] };
});

/** An issuer whose clock and health the test sets, cached as `createRemoteJWKSet` caches. */
function startKeys() {
  const state = { nowMs: 1_000_000, isUp: true, requests: 0, readMs: -Infinity };
  let known: JSONWebKeySet | undefined;
  const isFresh = (): boolean => state.nowMs < state.readMs + AGE_MS;
  const read = Object.assign(
    async (header: Parameters<ReturnType<typeof createLocalJWKSet>>[0]) => {
      if (!isFresh()) {
        state.requests += 1;
        if (!state.isUp) throw new TypeError('fetch failed');
        known = jwks;
        state.readMs = state.nowMs;
      }
      return createLocalJWKSet(jwks)(header);
    },
    { fresh: false, jwks: () => known },
  );
  Object.defineProperty(read, 'fresh', { get: isFresh });
  const options = { staleMsMax: STALE_MS, cooldownMs: COOLDOWN_MS, nowMs: () => state.nowMs };
  const keys = outliveIssuer(read, options);
  const verify = async (kid = 'known'): Promise<string | undefined> => {
    const header = { alg: 'ES256', kid };
    const token = await new SignJWT({ sub: 'ada' })
      .setProtectedHeader(header)
      .sign(pair.privateKey);
    return (await jwtVerify(token, keys)).payload.sub;
  };
  return { state, verify };
}

describe('an issuer that no longer answers', () => {
  it('is not missed for a token of a known key, and is asked again after a while only', async () => {
    const { state, verify } = startKeys();
    expect(await verify()).toBe('ada');
    state.isUp = false;
    state.nowMs += AGE_MS;
    for (let index = 0; index < 5; index += 1) expect(await verify()).toBe('ada');
    expect(state.requests).toBe(2);
    state.nowMs += COOLDOWN_MS;
    expect(await verify()).toBe('ada');
    expect(state.requests).toBe(3);
  });

  it('is missed for a token of a key that nobody knows, and when its keys are too old', async () => {
    const { state, verify } = startKeys();
    await verify();
    await expect(verify('other')).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
    state.isUp = false;
    state.nowMs += AGE_MS;
    await expect(verify('other')).rejects.toThrow('fetch failed');
    state.nowMs += STALE_MS;
    await expect(verify()).rejects.toThrow('fetch failed');
  });

  it('is missed by a process that has never read its keys, and is asked each time', async () => {
    const { state, verify } = startKeys();
    state.isUp = false;
    await expect(verify()).rejects.toThrow('fetch failed');
    await expect(verify()).rejects.toThrow('fetch failed');
    state.isUp = true;
    expect(await verify()).toBe('ada');
  });
});
