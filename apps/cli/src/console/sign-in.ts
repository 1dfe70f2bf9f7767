/**
 * Who enters by an identity provider: OpenID Connect Core, the authorization code flow with PKCE, state and nonce.
 *
 *   /sign-in    what has to be the same on the way back goes into a sealed cookie, and the browser to the provider
 *   /signed-in  the code is changed for an ID token, whose signature, issuer, audience, times and nonce are looked at
 *   visit       person and roles of that token, until it ends or an hour is over; the token itself is not kept
 *
 * Nothing is kept of who has only begun, so that nobody who has not signed in can fill the memory or put out another.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Clock } from '@tandem/core';
import { isLoopback } from '@tandem/service-kit';
import * as oidc from 'openid-client';
import { UsageError } from '../exit-codes.ts';
import { readPasted } from '../inventory/inventory.ts';
import { createVisits, ROLES, type Role, type Visits } from './access.ts';

export interface SignInSettings {
  /** Is where people open the console; it has nothing but scheme, name and port. */
  readonly origin: string;
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined for a client that has none: PKCE alone shows then that the code is ours. */
  readonly clientSecret: string | undefined;
  readonly rolesClaim: string;
  /** What the claim says for each role. */
  readonly roleNames: Readonly<Record<Role, string>>;
}

/** Lets in whom an identity provider knows, with the roles that its token names. */
export interface SignInAccess {
  readonly kind: 'sign-in';
  readonly visits: Visits;
  readonly origin: string;
  readonly issuer: string;
  /** Returns where the browser goes, and the cookie that it brings back from there. Throws `SignInFault`. */
  begin(to: string): Promise<{ readonly url: string; readonly cookie: string }>;
  /**
   * Returns the cookie of a new visitor, and where he wanted to go. Throws `SignInFault` for all that is not the answer
   * to what that browser began.
   */
  finish(
    search: string,
    cookie: string | undefined,
  ): Promise<{ readonly cookie: string; readonly to: string }>;
  /** Returns where the provider ends its own session; undefined where it has no such place. */
  leaveUrl(): Promise<string | undefined>;
}

/** Nobody was let in, for a reason that is fit to be shown. */
export class SignInFault extends Error {
  readonly status: 400 | 403 | 503;
  /** Says it without what names a person, whom a log need not know before he has a role. */
  readonly logged: string;

  constructor(
    status: 400 | 403 | 503,
    message: string,
    { logged = message, ...options }: ErrorOptions & { readonly logged?: string } = {},
  ) {
    super(message, options);
    this.status = status;
    this.logged = logged;
  }
}

/** A role that was taken away is gone after that at the latest, however long tokens of the provider live. */
const VISIT_MS_MAX = 3_600_000;
/** Browsers do not show the old cookie when the provider sends them back, so the old visit is still there. */
const VISITS_PER_PERSON_MAX = 3;
/** For a person who looks for a second factor. */
const SIGN_IN_MS_MAX = 600_000;
const ANSWER_S_MAX = 10;
/** A provider that has not answered is asked again no sooner. */
const COOLDOWN_MS = 5_000;
/** So many people sign in at one moment; each has the provider asked once. */
const FINISHING_MAX = 20;
/** So many answers are known again; the provider takes the code of an older one no more. */
const TAKEN_MAX = 1_000;
/** Whoever has no role can fail as often as he likes, and must not fill the log that carries the audit. */
const TOLD_EVERY_MS = 5_000;

const VARIABLES = {
  origin: 'TANDEM_CONSOLE_URL',
  issuer: 'TANDEM_CONSOLE_ISSUER',
  clientId: 'TANDEM_CONSOLE_CLIENT_ID',
  clientSecret: 'TANDEM_CONSOLE_CLIENT_SECRET',
  rolesClaim: 'TANDEM_CONSOLE_ROLES_CLAIM',
  view: 'TANDEM_CONSOLE_VIEW_ROLE',
  operate: 'TANDEM_CONSOLE_OPERATE_ROLE',
  erase: 'TANDEM_CONSOLE_ERASE_ROLE',
} as const;

/** Returns undefined where nothing of it is set. Throws `UsageError` for half of it, with all that is wrong. */
export function readSignInSettings(
  environment: Readonly<Record<string, string | undefined>>,
): SignInSettings | undefined {
  const read = (name: keyof typeof VARIABLES): string | undefined =>
    readPasted(environment[VARIABLES[name]] ?? '', VARIABLES[name]) || undefined;
  const names = Object.keys(VARIABLES) as (keyof typeof VARIABLES)[];
  if (names.every((name) => read(name) === undefined)) return undefined;
  const [origin = '', issuer = '', clientId = ''] = (['origin', 'issuer', 'clientId'] as const).map(
    read,
  );
  const missing = (['origin', 'issuer', 'clientId'] as const).filter(
    (name) => read(name) === undefined,
  );
  const problems = [
    ...missing.map((name) => `${VARIABLES[name]} is not set.`),
    ...(origin === '' || isOrigin(origin)
      ? []
      : [
          `${VARIABLES.origin} must be where people open the console, such as https://console.example.com: https:// ` +
            'except on loopback, and nothing after the name and the port.',
        ]),
    ...(issuer === '' || isSafe(issuer)
      ? []
      : [`${VARIABLES.issuer} must be a URL that begins with https://, except on loopback.`]),
    ...(issuer.includes('/.well-known/')
      ? [`${VARIABLES.issuer} must be the issuer itself, without /.well-known/ and what follows.`]
      : []),
    ...(isOfAnyTenant(issuer)
      ? [
          `${VARIABLES.issuer} must name one tenant, by its id: common, organizations and consumers let every tenant ` +
            'sign in, and give itself roles.',
        ]
      : []),
  ];
  if (problems.length > 0) {
    throw new UsageError(
      `People cannot sign in with half of what that takes: ${problems.join(' ')} Set the others too, or none, and ` +
        'the console serves this machine alone.',
    );
  }
  return {
    origin: new URL(origin).origin,
    issuer,
    clientId,
    clientSecret: read('clientSecret'),
    rolesClaim: read('rolesClaim') ?? 'roles',
    roleNames: {
      view: read('view') ?? 'tandem.view',
      operate: read('operate') ?? 'tandem.operate',
      erase: read('erase') ?? 'tandem.erase',
    },
  };
}

function isOrigin(text: string): boolean {
  return isSafe(text) && new URL(text).href === `${new URL(text).origin}/`;
}

function isSafe(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, search, hash } = new URL(text);
  if (search !== '' || hash !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

/** As Entra ID names what is no tenant. */
const ANY_TENANT: readonly unknown[] = ['common', 'organizations', 'consumers'];

function isOfAnyTenant(issuer: string): boolean {
  if (!URL.canParse(issuer)) return false;
  const { hostname, pathname } = new URL(issuer);
  return (
    hostname === 'login.microsoftonline.com' &&
    ANY_TENANT.includes(pathname.split('/')[1]?.toLowerCase())
  );
}

/** What has to be the same on the way back. */
interface Begun {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly to: string;
  readonly untilMs: number;
}

export interface SignInOptions {
  readonly settings: SignInSettings;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Told why somebody was not let in, in words that hold neither a code nor a token. */
  readonly onFault: (why: string) => void;
}

export function createSignIn({ settings, clock, onFault }: SignInOptions): SignInAccess {
  const { origin, issuer } = settings;
  const visits = createVisits(clock, { ownMax: VISITS_PER_PERSON_MAX });
  const seal = createSeal();
  const provider = createProvider(settings, clock, onFault);
  const take = createTaken();
  const tell = createTeller(clock, onFault);
  let finishing = 0;
  return {
    kind: 'sign-in',
    visits,
    origin,
    issuer,
    async begin(to) {
      const begun: Begun = {
        state: oidc.randomState(),
        nonce: oidc.randomNonce(),
        verifier: oidc.randomPKCECodeVerifier(),
        to,
        untilMs: clock.nowMs() + SIGN_IN_MS_MAX,
      };
      const url = await askUrl(await provider(), origin, begun);
      return { url: url.href, cookie: seal.close(begun) };
    },
    async finish(search, cookie) {
      const begun = cookie === undefined ? undefined : (seal.open(cookie) as Begun | undefined);
      const answered = new URL(`/signed-in${search}`, origin);
      const isOurs = begun !== undefined && answered.searchParams.get('state') === begun.state;
      // Nobody is told, and the provider is not asked: anyone can come with this.
      if (!isOurs || clock.nowMs() > begun.untilMs) throw new SignInFault(400, STRANGE);
      if (finishing >= FINISHING_MAX) {
        throw new SignInFault(503, `${FINISHING_MAX} people sign in just now: try again.`);
      }
      if (!take(begun.state)) throw new SignInFault(400, STRANGE);
      finishing += 1;
      try {
        const claims = await redeem(await provider(), answered, begun);
        const endsMs = Math.min(claims.exp * MS_PER_S, clock.nowMs() + VISIT_MS_MAX);
        return { cookie: visits.begin(visitorOf(claims, settings), endsMs), to: begun.to };
      } catch (error) {
        tell(whyOf(error));
        throw error;
      } finally {
        finishing -= 1;
      }
    },
    async leaveUrl() {
      const config = await provider();
      if (config.serverMetadata().end_session_endpoint === undefined) return undefined;
      return oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: `${origin}/enter` }).href;
    },
  };
}

const STRANGE = 'This browser did not begin to sign in here, or too long ago: begin anew.';

/** Returns what lets an answer in once: who repeats his own keeps no place of others before the provider. */
function createTaken(): (state: string) => boolean {
  const taken = new Set<string>();
  return (state) => {
    if (taken.has(state)) return false;
    const [oldest] = taken;
    if (taken.size >= TAKEN_MAX && oldest !== undefined) taken.delete(oldest);
    taken.add(state);
    return true;
  };
}

/** Returns what tells the first of some seconds, and with the next how many were left out. */
function createTeller(
  clock: Pick<Clock, 'nowMs'>,
  onFault: SignInOptions['onFault'],
): (why: string) => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  let leftOut = 0;
  return (why) => {
    const nowMs = clock.nowMs();
    if (nowMs - toldMs < TOLD_EVERY_MS) {
      leftOut += 1;
      return;
    }
    onFault(leftOut === 0 ? why : `${why} (${leftOut} more before it were not told of.)`);
    toldMs = nowMs;
    leftOut = 0;
  };
}

const CAUSES_MAX = 4;

/**
 * Says why, down to what the library or the system says. What anything else says may hold a piece of a token: of that
 * only the name is told.
 */
function whyOf(error: unknown): string {
  const said: string[] = [];
  let at = error;
  for (let depth = 0; depth < CAUSES_MAX && at instanceof Error; depth += 1) {
    const code = 'code' in at && typeof at.code === 'string' ? at.code : '';
    const isPlain = /^(?:OAUTH_[A-Z_]+|E[A-Z]+)$/.test(code);
    if (at instanceof SignInFault) said.push(at.logged);
    else said.push([at.name, code, ...(isPlain ? [at.message] : [])].filter(Boolean).join(' '));
    at = at.cause;
  }
  return said.join(' <- ');
}

async function askUrl(config: oidc.Configuration, origin: string, begun: Begun): Promise<URL> {
  return oidc.buildAuthorizationUrl(config, {
    redirect_uri: `${origin}/signed-in`,
    scope: 'openid profile email',
    state: begun.state,
    nonce: begun.nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(begun.verifier),
    code_challenge_method: 'S256',
  });
}

const MS_PER_S = 1_000;

/** Returns what asks the provider, which is looked up when somebody signs in: the console works without it until then. */
function createProvider(
  { issuer, clientId, clientSecret }: SignInSettings,
  clock: Pick<Clock, 'nowMs'>,
  onFault: SignInOptions['onFault'],
): () => Promise<oidc.Configuration> {
  let found: Promise<oidc.Configuration> | undefined;
  let failedMs = Number.NEGATIVE_INFINITY;
  const isPlain = new URL(issuer).protocol === 'http:';
  // Without the first, a token from the provider itself is believed for the connection it came by.
  const execute = [
    oidc.enableNonRepudiationChecks,
    ...(isPlain ? [oidc.allowInsecureRequests] : []),
  ];
  const find = async (): Promise<oidc.Configuration> => {
    try {
      const config = await oidc.discovery(
        new URL(issuer),
        clientId,
        undefined,
        clientSecret === undefined ? oidc.None() : oidc.ClientSecretPost(clientSecret),
        { execute, timeout: ANSWER_S_MAX },
      );
      // The library fills in `{tenantid}` with what the token itself says: any tenant would do.
      if (config.serverMetadata().issuer.includes('{')) throw ofNoTenant(issuer);
      return config;
    } catch (error) {
      found = undefined;
      failedMs = clock.nowMs();
      onFault(whyOf(error));
      throw error instanceof SignInFault ? error : unreachable(issuer, error);
    }
  };
  return () => {
    if (found === undefined && clock.nowMs() - failedMs < COOLDOWN_MS) {
      return Promise.reject(unreachable(issuer));
    }
    return (found ??= find());
  };
}

function ofNoTenant(issuer: string): SignInFault {
  return new SignInFault(
    503,
    `${issuer} issues tokens for any tenant, whose admins could give themselves roles here: nobody can sign in until ` +
      `${VARIABLES.issuer} names one tenant, by its id.`,
  );
}

function unreachable(issuer: string, cause?: unknown): SignInFault {
  return new SignInFault(
    503,
    `${issuer} does not answer as an OpenID Connect provider: nobody can sign in until it does. The command tandem ` +
      'works without it.',
    { cause },
  );
}

/** With which codes the library says that no answer came, or none that a provider gives. */
const UNANSWERED: ReadonlySet<unknown> = new Set([
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
]);

/** Throws `SignInFault`. */
async function redeem(
  config: oidc.Configuration,
  answered: URL,
  { state, nonce, verifier }: Begun,
): Promise<oidc.IDToken> {
  try {
    const tokens = await oidc.authorizationCodeGrant(config, answered, {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: verifier,
      idTokenExpected: true,
    });
    const claims = tokens.claims();
    if (claims !== undefined) return claims;
    throw new SignInFault(400, 'The provider gave no ID token: nobody was let in.');
  } catch (error) {
    if (error instanceof SignInFault) throw error;
    throw faultOf(error, config.serverMetadata().issuer);
  }
}

function faultOf(error: unknown, issuer: string): SignInFault {
  const isSaid =
    error instanceof oidc.AuthorizationResponseError || error instanceof oidc.ResponseBodyError;
  if (isSaid && /^[a-z_]{1,60}$/.test(error.error)) {
    return new SignInFault(400, `${issuer} has not let you in: ${error.error}. Begin anew.`, {
      cause: error,
    });
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const isUnanswered = UNANSWERED.has(code) || isUnreached(error);
  return isUnanswered
    ? unreachable(issuer, error)
    : new SignInFault(
        400,
        'That is not the answer to what this browser began, or none that may be taken. Begin anew.',
        { cause: error },
      );
}

/** As `fetch` says it of a connection that there is none of. */
function isUnreached(error: unknown): boolean {
  return (
    error instanceof Error &&
    [error, error.cause].some((one) => one instanceof TypeError && one.message === 'fetch failed')
  );
}

/** Throws `SignInFault` for who has no role. */
function visitorOf(
  claims: oidc.IDToken,
  settings: SignInSettings,
): { readonly person: string; readonly roles: ReadonlySet<Role> } {
  const { issuer, rolesClaim, roleNames } = settings;
  const [person, roles] = [personOf(claims), rolesOf(claims, settings)];
  if (roles.size > 0) return { person, roles };
  const missing = `the claim ${rolesClaim} of the token names none of ${Object.values(roleNames).join(', ')}.`;
  throw new SignInFault(
    403,
    `You are ${person}, and have no role here: ${missing} Whoever looks after ${issuer} gives them.`,
    { logged: `Nobody was let in as ${claims.sub}: ${missing}` },
  );
}

/** Names who is in the audit: the subject, which is one person's for ever, behind a name that people know. */
function personOf(claims: oidc.IDToken): string {
  const { email, email_verified: isVerified, preferred_username: username, sub } = claims;
  if (!isShort(sub)) {
    throw new SignInFault(400, 'The subject of your token is not fit to be written down.');
  }
  const name = [isVerified === false ? undefined : email, username].find(isShort);
  return name === undefined ? sub : `${name} (${sub})`;
}

function isShort(text: unknown): text is string {
  return typeof text === 'string' && text.isWellFormed() && /^[^\p{Cc}]{1,255}$/u.test(text);
}

/** Whoever has any role may look. */
function rolesOf(
  claims: oidc.IDToken,
  { rolesClaim, roleNames }: SignInSettings,
): ReadonlySet<Role> {
  const named = namesIn(claimOf(claims, rolesClaim));
  const own = ROLES.filter((role) => named.includes(roleNames[role]));
  return new Set(own.length === 0 ? own : [...own, 'view']);
}

/** Finds a claim of that name, else by a path: Keycloak has `realm_access.roles`, and others an address with dots. */
function claimOf(claims: object, name: string): unknown {
  if (Object.hasOwn(claims, name)) return (claims as Readonly<Record<string, unknown>>)[name];
  return name.split('.').reduce<unknown>((value, key) => {
    const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    return isObject ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
  }, claims);
}

function namesIn(claim: unknown): readonly unknown[] {
  if (typeof claim === 'string') return claim.split(' ');
  return Array.isArray(claim) ? claim : [];
}

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** Makes texts that nobody else can read or make; a console that is started anew opens none of those before it. */
function createSeal(): {
  readonly close: (value: object) => string;
  /** Returns undefined for what was not closed here. */
  readonly open: (text: string) => unknown;
} {
  const key = randomBytes(KEY_BYTES);
  return {
    close(value) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce);
      const parts = [cipher.update(JSON.stringify(value), 'utf8'), cipher.final()];
      return Buffer.concat([nonce, cipher.getAuthTag(), ...parts]).toString('base64url');
    },
    open(text) {
      const bytes = Buffer.from(text, 'base64url');
      if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
      const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      try {
        const plain = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
        return JSON.parse(Buffer.concat([plain, decipher.final()]).toString('utf8'));
      } catch {
        // What does not fit its seal says nothing of itself.
        return undefined;
      }
    },
  };
}
