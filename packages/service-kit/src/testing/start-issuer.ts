import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  exportJWK,
  generateKeyPair,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from 'jose';

export interface TestIssuer {
  readonly issuer: string;
  /** How often its keys were asked for. */
  readonly keyRequests: () => number;
  /** How often it was asked to describe itself. */
  readonly questions: () => number;
  /** A token that is accepted, but for what the claims and the header say; undefined leaves one out. */
  sign(claims?: Claims, header?: Partial<JWTHeaderParameters>): Promise<string>;
  /** From now on it signs with another key, under another id. */
  rotate(): Promise<void>;
  /** From now on it describes itself so; a redirection leads to a description that is right. */
  describe(description: Description): void;
  stop(): Promise<void>;
}

interface Description {
  readonly status?: number;
  readonly says?: Claims;
}

/** May be of any type: a token may say anything. */
export type Claims = Readonly<Record<string, unknown>>;

export const AUDIENCE = 'api://tandem';
const ALGORITHM = 'RS256';
const TOKEN_AGE_S = 300;

/** An OpenID Connect issuer on loopback, as far as an API sees one. */
export async function startIssuer({ suffix = '' } = {}): Promise<TestIssuer> {
  let generation = 0;
  let keyRequests = 0;
  let questions = 0;
  let description: Description = {};
  let pair = await generateKeyPair(ALGORITHM);
  const keyId = (): string => `key-${generation}`;

  const server = createServer((request, response) => {
    const right = { issuer, jwks_uri: `${root}/keys` };
    const answer = async (): Promise<unknown> => {
      if (request.url === '/elsewhere') return right;
      if (request.url === '/.well-known/openid-configuration') {
        questions += 1;
        response.statusCode = description.status ?? 200;
        response.setHeader('location', '/elsewhere');
        return { ...right, ...description.says };
      }
      response.statusCode = request.url === '/keys' ? 200 : 404;
      keyRequests += 1;
      const key = await exportJWK(pair.publicKey);
      return { keys: [{ ...key, kid: keyId(), alg: ALGORITHM, use: 'sig' }] };
    };
    response.setHeader('content-type', 'application/json');
    void answer().then((body) => response.end(JSON.stringify(body)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer = `${root}${suffix}`;

  return {
    issuer,
    keyRequests: () => keyRequests,
    questions: () => questions,
    describe: (one) => {
      description = one;
    },
    sign: (claims = {}, header = {}) => {
      const now = Math.floor(Date.now() / 1_000);
      const usual = { iss: issuer, aud: AUDIENCE, sub: 'ada', iat: now, exp: now + TOKEN_AGE_S };
      const payload = JSON.parse(JSON.stringify({ ...usual, ...claims })) as JWTPayload;
      return new SignJWT(payload)
        .setProtectedHeader({ alg: ALGORITHM, kid: keyId(), typ: 'at+jwt', ...header })
        .sign(pair.privateKey);
    },
    async rotate() {
      generation += 1;
      pair = await generateKeyPair(ALGORITHM);
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
