import {
  createLocalJWKSet,
  errors,
  exportJWK,
  generateKeyPair,
  type JSONWebKeySet,
  jwtVerify,
  SignJWT,
} from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import { outliveIssuer } from './outlive-issuer.ts';

const AGE_MS = 600_000;
const STALE_MS = 3_600_000;
const COOLDOWN_MS = 30_000;

let pair: Awaited<ReturnType<typeof generateKeyPair>>;
let jwks: JSONWebKeySet;

beforeEach(async () => {
  pair = await generateKeyPair('ES256');
  jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'known', alg: 'ES256' }] };
});

/** An issuer whose clock and health the test sets, cached as `createRemoteJWKSet` caches. */
function startKeys() {
  const state = { nowMs: Date.UTC(2026, 10, 1), isUp: true, requests: 0, readMs: -Infinity };
  let known: JSONWebKeySet | undefined;
  const isFresh = (): boolean => state.nowMs < state.readMs + AGE_MS;
  const reload = async (): Promise<void> => {
    state.requests += 1;
    await Promise.resolve();
    if (!state.isUp) throw new TypeError('fetch failed');
    known = jwks;
    state.readMs = state.nowMs;
  };
  const read = Object.assign(
    async (header: Parameters<ReturnType<typeof createLocalJWKSet>>[0]) => {
      if (!isFresh()) await reload();
      return createLocalJWKSet(known ?? { keys: [] })(header);
    },
    { fresh: false, jwks: () => known, reload },
  );
  Object.defineProperty(read, 'fresh', { get: isFresh });
  const options = { staleMsMax: STALE_MS, cooldownMs: COOLDOWN_MS, nowMs: () => state.nowMs };
  const keys = outliveIssuer(read, options);
  const verify = async (kid: string | null = 'known'): Promise<string | undefined> => {
    const header = { alg: 'ES256', ...(kid === null ? {} : { kid }) };
    const token = await new SignJWT({ sub: 'ada' })
      .setProtectedHeader(header)
      .sign(pair.privateKey);
    return (await jwtVerify(token, keys)).payload.sub;
  };
  /** As `verify`, and asked at once: nothing is signed before. */
  const find = async (kid: string) => keys({ alg: 'ES256', kid }, { payload: '', signature: '' });
  return { state, verify, find };
}

function rotateIn(kid: string): void {
  jwks = { keys: [...jwks.keys, { ...jwks.keys[0]!, kid }] };
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
    state.nowMs += STALE_MS - AGE_MS;
    expect(await verify()).toBe('ada');
    state.nowMs += 1;
    await expect(verify()).rejects.toThrow('fetch failed');
  });

  it('is asked at once when its keys have aged again since it was back', async () => {
    const { state, verify } = startKeys();
    await verify();
    state.isUp = false;
    state.nowMs += AGE_MS;
    await verify();
    state.isUp = true;
    state.nowMs += COOLDOWN_MS;
    await verify();
    expect(state.requests).toBe(3);
    state.nowMs += AGE_MS;
    rotateIn('new');
    expect(await verify('new')).toBe('ada');
    expect(state.requests).toBe(4);
  });

  it('is missed by a process that has never read its keys, and is asked each time', async () => {
    const { state, verify } = startKeys();
    state.isUp = false;
    state.nowMs = 1;
    await expect(verify()).rejects.toThrow('fetch failed');
    await expect(verify()).rejects.toThrow('fetch failed');
    state.isUp = true;
    expect(await verify()).toBe('ada');
  });
});

describe('an issuer that answers', () => {
  it('takes a key away as soon as its keys are read anew', async () => {
    const { state, verify } = startKeys();
    await verify();
    jwks = { keys: [{ ...jwks.keys[0]!, kid: 'next' }] };
    state.nowMs += AGE_MS - 1;
    expect(await verify()).toBe('ada');
    state.nowMs += 1;
    await expect(verify()).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
    expect(await verify('next')).toBe('ada');
  });

  it('is not asked which of two keys a token without a key id means', async () => {
    const { state, verify } = startKeys();
    expect(await verify(null)).toBe('ada');
    rotateIn('next');
    state.nowMs += AGE_MS;
    await expect(verify(null)).rejects.toBeInstanceOf(errors.JWKSMultipleMatchingKeys);
    await expect(verify(null)).rejects.toBeInstanceOf(errors.JWKSMultipleMatchingKeys);
    expect(state.requests).toBe(2);
  });
});

describe('G5: a key that is not known', () => {
  it('is found at once when it was rotated in, by all who ask together', async () => {
    const { state, verify } = startKeys();
    await verify();
    rotateIn('new');
    const answers = await Promise.all(Array.from({ length: 20 }, () => verify('new')));
    expect(new Set(answers)).toEqual(new Set(['ada']));
    expect(state.requests).toBe(2);
  });

  it('is asked for together with another that is not known', async () => {
    const { state, verify, find } = startKeys();
    await verify();
    rotateIn('new');
    const found = await Promise.allSettled(['new', 'forged', 'new'].map(find));
    expect(found.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(state.requests).toBe(2);
  });

  it('is asked for once, and not again for a while', async () => {
    const { state, verify } = startKeys();
    await verify();
    for (let index = 0; index < 20; index += 1) {
      await expect(verify('forged')).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
    }
    expect(state.requests).toBe(2);
    state.nowMs += 9_999;
    await expect(verify('forged')).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
    expect(state.requests).toBe(2);
    state.nowMs += 1;
    await expect(verify('forged')).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
    expect(state.requests).toBe(3);
  });

  it('costs the issuer little, however many are forged, and an honest one waits seconds', async () => {
    const { state, verify } = startKeys();
    await verify();
    const flood = async (from: number): Promise<void> => {
      const kids = Array.from({ length: 200 }, (_, index) => `forged-${from + index}`);
      for (const kid of kids) await expect(verify(kid)).rejects.toThrow('no applicable key');
    };
    await flood(0);
    expect(state.requests).toBe(5);
    rotateIn('late');
    state.nowMs += 5_000;
    await flood(200);
    expect(state.requests).toBe(6);
    expect(await verify('late')).toBe('ada');
    expect(state.requests).toBe(6);
    state.nowMs += 60_000;
    await flood(400);
    expect(state.requests).toBe(10);
  });

  it('is the fault of an issuer that does not answer', async () => {
    const { state, verify } = startKeys();
    await verify();
    state.isUp = false;
    await expect(verify('new-too')).rejects.toThrow('fetch failed');
    expect(await verify()).toBe('ada');
  });
});
