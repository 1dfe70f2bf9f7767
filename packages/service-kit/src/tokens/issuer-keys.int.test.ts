import { errors } from 'jose';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AUDIENCE, startIssuer, type TestIssuer } from '../testing/start-issuer.ts';
import {
  createIssuerKeys,
  createTokenVerifier,
  type TokenVerifierSettings,
} from './token-verifier.ts';

const KEY = { alg: 'RS256', kid: 'key-0' };
const NO_TOKEN = { payload: '', signature: '' };

function settingsOf({ issuer: name }: TestIssuer): TokenVerifierSettings<string> {
  return { issuer: name, audience: AUDIENCE, jwksUrl: undefined, tokenType: 'at+jwt', scopes: [] };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('the keys of the issuer', () => {
  it('G5: are asked for at once after a rotation, once for what is forged, and a verdict says that they cannot be had', async () => {
    const lonely = await startIssuer();
    const settings = settingsOf(lonely);
    const verify = createTokenVerifier(settings);
    expect(await verify(await lonely.sign())).toMatchObject({ kind: 'caller' });
    await lonely.rotate();
    const rotated = await lonely.sign();
    expect(await verify(rotated)).toMatchObject({ kind: 'caller' });
    expect(lonely.keyRequests()).toBe(2);
    for (let index = 0; index < 20; index += 1) {
      const unknown = await lonely.sign({}, { kid: 'nobody' });
      expect(await verify(unknown)).toEqual({ kind: 'refused', reason: 'signature' });
    }
    expect(lonely.keyRequests()).toBe(3);
    const token = await lonely.sign();
    await lonely.stop();
    expect(await createTokenVerifier(settings)(token)).toMatchObject({ kind: 'keys-unreadable' });
  });

  it('are read by a process that starts after a rotation', async () => {
    const issuer = await startIssuer();
    await issuer.rotate();
    const settings = { ...settingsOf(issuer), jwksUrl: `${issuer.issuer}/keys` };
    expect(await createTokenVerifier(settings)(await issuer.sign())).toMatchObject({
      kind: 'caller',
      caller: { subject: 'ada', scopes: new Set() },
    });
    expect(issuer.questions()).toBe(0);
    await issuer.stop();
  });

  it('are looked for once, wherever the issuer with a slash at its end says that they are', async () => {
    const issuer = await startIssuer({ suffix: '/' });
    const keys = createIssuerKeys(settingsOf(issuer));
    await Promise.all([keys(KEY, NO_TOKEN), keys(KEY, NO_TOKEN)]);
    await keys(KEY, NO_TOKEN);
    expect(issuer.questions()).toBe(1);
    expect(issuer.keyRequests()).toBe(1);
    await issuer.stop();
  });

  it('are asked for once for a key that is unknown, however long they have been known', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const issuer = await startIssuer();
    const keys = createIssuerKeys(settingsOf(issuer));
    await keys(KEY, NO_TOKEN);
    vi.setSystemTime(Date.now() + 60_000);
    await expect(keys({ ...KEY, kid: 'nobody' }, NO_TOKEN)).rejects.toThrow('no applicable key');
    expect(issuer.keyRequests()).toBe(2);
    await issuer.stop();
  });

  it.each([
    ['is of another name', { says: { issuer: 'http://127.0.0.1' } }],
    ['names no keys', { says: { jwks_uri: undefined } }],
    ['is said with an error', { status: 500 }],
    [
      'names keys that anyone on the way could change',
      { says: { jwks_uri: 'http://keys.invalid' } },
    ],
  ])('are not taken by a description that %s, and are when it is mended', async (_, wrong) => {
    const issuer = await startIssuer();
    const keys = createIssuerKeys(settingsOf(issuer));
    issuer.describe(wrong);
    await expect(keys(KEY, NO_TOKEN)).rejects.toBeInstanceOf(errors.JWKSInvalid);
    issuer.describe({});
    expect(await keys(KEY, NO_TOKEN)).toBeDefined();
    await issuer.stop();
  });

  it('are taken from wherever a description says, behind https, and no redirection is followed', async () => {
    const issuer = await startIssuer();
    const keys = createIssuerKeys(settingsOf(issuer));
    issuer.describe({ says: { jwks_uri: 'https://keys.invalid' } });
    await expect(createIssuerKeys(settingsOf(issuer))(KEY, NO_TOKEN)).rejects.toThrow(
      'fetch failed',
    );
    issuer.describe({ status: 302 });
    await expect(keys(KEY, NO_TOKEN)).rejects.toThrow('fetch failed');
    await issuer.stop();
  });
});
