// Identity providers on loopback: one that many use, and one that lies in the way that a test wants.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { startIssuer } from '@tandem/service-kit/testing';
import { calculatePKCECodeChallenge } from 'openid-client';
import type { SignInSettings } from '../console/sign-in.ts';

const CLIENT_ID = 'tandem-console';

export function signInSettings(
  own: Pick<SignInSettings, 'issuer'> & Partial<SignInSettings>,
): SignInSettings {
  return {
    origin: 'https://console.example.com',
    clientId: CLIENT_ID,
    clientSecret: 'a secret of this test',
    rolesClaim: 'roles',
    roleNames: { view: 'tandem.view', operate: 'tandem.operate', erase: 'tandem.erase' },
    ...own,
  };
}

export interface Account {
  readonly email: string;
  readonly roles: readonly string[];
}

export interface IdentityProvider {
  readonly issuer: string;
  stop(): Promise<void>;
}

/**
 * `oidc-provider`, in which whoever names an account has its password. It is of another site than a console at
 * 127.0.0.1, as in the world.
 */
export async function startIdentityProvider(
  origin: string,
  accounts: ReadonlyMap<string, Account>,
): Promise<IdentityProvider> {
  const { Provider } = await import('oidc-provider');
  const server = await listen(createServer());
  const issuer = `http://localhost:${portOf(server)}`;
  const { clientSecret = '' } = signInSettings({ issuer });
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: clientSecret,
        token_endpoint_auth_method: 'client_secret_post',
        redirect_uris: [`${origin}/signed-in`],
        post_logout_redirect_uris: [`${origin}/enter`],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['roles'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['a key of this test'] },
    features: { devInteractions: { enabled: true } },
    findAccount: (_context, accountId) => {
      const account = accounts.get(accountId);
      if (account === undefined) return undefined;
      const claims = { sub: accountId, email_verified: true, ...account };
      return { accountId, claims: () => ({ ...claims, roles: [...account.roles] }) };
    },
  });
  const answer = provider.callback();
  server.on('request', (request, response) => void answer(request, response));
  return { issuer, stop: () => stop(server) };
}

/** What a liar puts in place of what is right. */
export interface Lie {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, string>>;
  /** Signs with a key that it does not show. */
  readonly isForged?: boolean;
  /** Answers the token endpoint so. */
  readonly answer?: { readonly status: number; readonly body: string };
}

export interface LyingProvider extends IdentityProvider {
  lie(lie: Lie): void;
  /** Answers as for a person who signs in: with what the browser brings back. */
  answer(url: string): URLSearchParams;
}

/** Issues what a test tells it to; codes, PKCE and addresses it checks as a provider does. */
export async function startLyingProvider(): Promise<LyingProvider> {
  const issuer = await startIssuer();
  const codes = new Map<string, URLSearchParams>();
  let lie: Lie = {};
  const redeem = async (form: URLSearchParams): Promise<{ status: number; body: string }> => {
    if (lie.answer !== undefined) return lie.answer;
    const asked = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const challenge = await calculatePKCECodeChallenge(form.get('code_verifier') ?? '');
    const isRight =
      asked?.get('code_challenge') === challenge &&
      asked.get('redirect_uri') === form.get('redirect_uri');
    if (asked === undefined || !isRight) {
      return { status: 400, body: JSON.stringify({ error: 'invalid_grant' }) };
    }
    const claims = {
      aud: CLIENT_ID,
      nonce: asked.get('nonce'),
      email: 'ada@example.com',
      roles: ['tandem.operate'],
      ...lie.claims,
    };
    let token = await issuer.sign(claims, { typ: 'JWT', ...lie.header });
    if (lie.isForged === true)
      token = `${token.slice(0, token.lastIndexOf('.') + 1)}${'A'.repeat(342)}`;
    const body = { access_token: 'opaque', token_type: 'Bearer', id_token: token };
    return { status: 200, body: JSON.stringify(body) };
  };
  const server = await listen(
    createServer((request, response) => {
      void text(request)
        .then((form) => redeem(new URLSearchParams(form)))
        .then(({ status, body }) =>
          response.writeHead(status, { 'content-type': 'application/json' }).end(body),
        );
    }),
  );
  const root = `http://127.0.0.1:${portOf(server)}`;
  issuer.describe({
    says: {
      authorization_endpoint: `${root}/authorize`,
      token_endpoint: `${root}/token`,
      end_session_endpoint: `${root}/end`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      authorization_response_iss_parameter_supported: true,
    },
  });
  let count = 0;
  return {
    issuer: issuer.issuer,
    lie: (one) => void (lie = one),
    answer(url) {
      const asked = new URL(url).searchParams;
      count += 1;
      codes.set(`code-${count}`, asked);
      return new URLSearchParams({
        code: `code-${count}`,
        state: asked.get('state') ?? '',
        iss: issuer.issuer,
      });
    },
    async stop() {
      await Promise.all([issuer.stop(), stop(server)]);
    },
  };
}

async function listen(server: Server): Promise<Server> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
