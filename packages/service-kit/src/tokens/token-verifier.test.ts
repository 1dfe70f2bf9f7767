import {
  createLocalJWKSet,
  errors,
  exportJWK,
  generateKeyPair,
  type JWTVerifyGetKey,
  SignJWT,
} from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Claims } from '../testing/start-issuer.ts';
import type { TokenType } from './auth-settings.ts';
import { createTokenVerifier, type TokenFault, type TokenVerifier } from './token-verifier.ts';

const AUDIENCE = 'api://tandem';
const ISSUER = 'https://login.example.com/tenant';
const SCOPES = ['customers.read', 'customers.write', 'customers.operate'] as const;
const ALL = SCOPES.join(' ');

let pair: Awaited<ReturnType<typeof generateKeyPair>>;
let keys: JWTVerifyGetKey;

beforeAll(async () => {
  pair = await generateKeyPair('RS256');
  keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(pair.publicKey)), alg: 'RS256' }] });
});

const nowS = (): number => Math.floor(Date.now() / 1_000);

/** A token that is accepted, but for what the claims and the header say; undefined leaves one out. */
function sign(claims: Claims = {}, header: Claims = {}): Promise<string> {
  const usual = { iss: ISSUER, aud: AUDIENCE, sub: 'ada', iat: nowS(), exp: nowS() + 300 };
  return new SignJWT(JSON.parse(JSON.stringify({ ...usual, ...claims })))
    .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', ...header })
    .sign(pair.privateKey);
}

function verifierOf(
  tokenType: TokenType = 'at+jwt',
  askedKeys: JWTVerifyGetKey = keys,
): TokenVerifier {
  const settings = {
    issuer: ISSUER,
    audience: AUDIENCE,
    jwksUrl: undefined,
    tokenType,
    scopes: SCOPES,
  };
  return createTokenVerifier(settings, askedKeys);
}

/** Signed by the right key, and right but for the one thing that each names. */
const CLAIMS: readonly (readonly [name: string, claims: Claims, header?: Claims | undefined])[] = [
  ['the name of another issuer', { iss: 'https://issuer.example' }],
  ['the name of the issuer with a slash', { iss: `${ISSUER}/` }],
  ['no issuer', { iss: undefined }],
  ['a list of issuers', { iss: ['https://issuer.example'] }],
  ['no audience', { aud: undefined }],
  ['an audience that begins like ours', { aud: `${AUDIENCE}-admin` }],
  ['a list of other audiences', { aud: ['api://other', AUDIENCE.toUpperCase()] }],
  ['no end', { exp: undefined }],
  ['an end that is a text', { exp: '9999999999' }],
  ['no end, but null', { exp: null }],
  ['no subject', { sub: undefined }],
  ['an empty subject', { sub: '' }],
  ['a number for a subject', { sub: 42 }],
  ['a list for a subject', { sub: ['ada'] }],
  ['a subject with a line break', { sub: 'ada\nsame' }],
  ['a subject without an end', { sub: 'a'.repeat(256) }],
  ['half a surrogate pair for a subject', { sub: '\ud800' }],
  ['a list for a scope', { scope: SCOPES }],
  ['an end that is more than a minute ago', { exp: nowS() - 120 }],
  ['a beginning that is more than a minute ahead', { nbf: nowS() + 120 }],
  ['a type that ends like ours', {}, { typ: 'x-application/at+jwt' }],
  ['a subject that ends in a control character', { sub: 'ada\u0007' }],
  ['a nested list for a scope', { scope: [[...SCOPES]] }],
  ['an object for a scope', { scope: { 'customers.read': true } }],
  ['a nested list for scp', { scp: [[...SCOPES]] }],
  ['a nested list for roles', { roles: [[...SCOPES], 'customers.read'] }],
  ['a number for roles', { roles: 1 }],
  ['the type of a logout token', {}, { typ: 'logout+jwt' }],
  ['the type of a DPoP proof', {}, { typ: 'dpop+jwt' }],
  ['the type of a security event', {}, { typ: 'application/secevent+jwt' }],
  ['a type that begins like ours', {}, { typ: 'at+jwt2' }],
];

const refusedAs = (reason: TokenFault): object => ({ kind: 'refused', reason });

/** As ID tokens and logout tokens of issuers that name no type. */
const FOREIGN: typeof CLAIMS = [
  ['a nonce', { nonce: 'n-0S6_WzA2Mj' }],
  ['the hash of an access token', { at_hash: '77QmUPtjPfzWtF2AnpK9RQ' }],
  ['the hash of a code', { c_hash: 'LDktKdoQak3Pk0cnXxCltA' }],
  ['an event', { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }],
  ['the hash of a state', { s_hash: '77QmUPtjPfzWtF2AnpK9RQ' }],
  ['the address of a request', { htu: 'http://127.0.0.1/customers' }],
  ['the method of a proof', { htm: 'GET' }],
];

describe('C7: a token that the right key has signed', () => {
  const verdictOf = async (
    [, claims, header]: (typeof CLAIMS)[number],
    tokenType: TokenType = 'at+jwt',
  ): Promise<string> => {
    const token = await sign({ scope: ALL, ...claims }, header);
    return (await verifierOf(tokenType)(token)).kind;
  };

  it('is taken as it is', async () => {
    for (const typ of ['at+jwt', 'application/at+jwt', 'AT+JWT']) {
      expect(await verdictOf(['', {}, { typ }])).toBe('caller');
      expect(await verdictOf(['', { aud: ['api://other', AUDIENCE] }, { typ }])).toBe('caller');
      expect(await verdictOf(['', {}, { typ }], 'jwt')).toBe('caller');
    }
    expect(await verdictOf(['', { sub: 'a'.repeat(255) }])).toBe('caller');
    expect(await verdictOf(['', { nonce: 'n-0S6_WzA2Mj' }], 'jwt')).toBe('caller');
  });

  it('is taken by a clock that is less than a minute off', async () => {
    expect(await verdictOf(['', { exp: nowS() - 30, nbf: nowS() - 60 }])).toBe('caller');
    expect(await verdictOf(['', { nbf: nowS() + 30 }])).toBe('caller');
  });

  it('is not looked at when it is longer than any access token', async () => {
    const asked: string[] = [];
    const verify = verifierOf('at+jwt', (header, token) => {
      asked.push(String(header.alg));
      return keys(header, token);
    });
    const { length } = await sign({ sub: 'ada', pad: '' });
    // A character of a claim takes four thirds in base64url.
    const longest = await sign({ pad: 'a'.repeat(Math.floor(((8_192 - length) * 3) / 4) - 3) });
    expect(longest.length).toBeGreaterThan(8_180);
    expect(await verify(longest)).toMatchObject({ kind: 'caller' });
    expect(await verify(longest.padEnd(8_193, 'a'))).toEqual(refusedAs('malformed'));
    expect(asked).toHaveLength(1);
  });

  it('has its names from all three claims together, each once', async () => {
    const token = await sign({
      scope: 'customers.read openid',
      scp: ['customers.write'],
      roles: ['customers.operate', 'customers.read'],
    });
    const caller = { subject: 'ada', scopes: new Set(SCOPES) };
    expect(await verifierOf()(token)).toEqual({ kind: 'caller', caller });
    const none = { subject: 'ada', scopes: new Set() };
    expect(await verifierOf()(await sign())).toEqual({ kind: 'caller', caller: none });
  });

  const cases = CLAIMS.map(([name, claims, header]) => ({ name, claims, header }));
  it.each(cases)('is refused with $name', async ({ name, claims, header }) => {
    expect(await verdictOf([name, claims, header])).toBe('refused');
    expect(await verdictOf([name, claims, header], 'jwt')).toBe('refused');
  });

  it.each<[TokenFault, Claims]>([
    ['expired', { exp: nowS() - 120 }],
    ['not-valid-yet', { nbf: nowS() + 120 }],
    ['issuer', { iss: 'http://127.0.0.1/other' }],
    ['audience', { aud: 'api://other' }],
    ['claims', { sub: undefined }],
  ])(
    'is refused as %s, which nobody learns of whose signature is wrong',
    async (reason, claims) => {
      const token = await sign(claims);
      expect(await verifierOf()(token)).toEqual(refusedAs(reason));
      const forged = `${token.slice(0, token.lastIndexOf('.') + 1)}${'A'.repeat(342)}`;
      expect(await verifierOf()(forged)).toEqual(refusedAs('signature'));
    },
  );

  it.each([undefined, 'JWT', 'application/jwt'])(
    'is refused with the type %s, unless the issuer knows no better',
    async (typ) => {
      expect(await verdictOf(['', {}, { typ }])).toBe('refused');
      expect(await verdictOf(['', {}, { typ }], 'jwt')).toBe('caller');
      for (const [name, claims] of FOREIGN) {
        expect(await verdictOf([name, claims, { typ }], 'jwt')).toBe('refused');
      }
    },
  );

  it.each([
    ['customers.readonly', []],
    ['customers.read.all customers.writes', []],
    ['xcustomers.read', []],
    ['Customers.Read', []],
    ['customers.read,customers.write', []],
    ['openid customers.read', ['customers.read']],
  ])('has of the scope "%s" no more than what it says', async (scope, scopes) => {
    const verify = verifierOf();
    const granted = { kind: 'caller', caller: { subject: 'ada', scopes: new Set(scopes) } };
    for (const claims of [{ scope }, { scp: scope }, { scp: [scope] }, { roles: [scope] }]) {
      const isListed = Object.values(claims).some((value) => Array.isArray(value));
      const expected = isListed ? { kind: 'caller' } : granted;
      const verdict = await verify(await sign(claims));
      expect(verdict).toMatchObject(expected);
      if (!isListed || verdict.kind !== 'caller') continue;
      expect([...verdict.caller.scopes]).toEqual(SCOPES.filter((one) => one === scope));
    }
  });
});

describe('keys that cannot be had', () => {
  const failing = (error: Error): TokenVerifier =>
    verifierOf('at+jwt', async () => {
      throw error;
    });

  it.each([
    new errors.JWKSNoMatchingKey(),
    new errors.JWKSMultipleMatchingKeys(),
    new errors.JOSENotSupported('a key of an unknown kind'),
  ])('are the fault of the token when it is about the token: $code', async (error) => {
    expect(await failing(error)(await sign())).toEqual(refusedAs('signature'));
  });

  it.each([new errors.JWKSTimeout(), new errors.JWKSInvalid(), new TypeError('fetch failed')])(
    'are ours when the issuer does not give them: $message',
    async (error) => {
      const verdict = await failing(error)(await sign());
      expect(verdict).toEqual({ kind: 'keys-unreadable', retryAfterS: 5 });
      expect(await failing(error)('abc')).toEqual(refusedAs('malformed'));
    },
  );
});
