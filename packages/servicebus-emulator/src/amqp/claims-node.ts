// What a client may do on its connection: by the key that it logged in with, or by the tokens that it put on $cbs.

import type { Connection, Container } from 'rhea';
import type { Clock } from '../clock.ts';
import type { QueueAccessRules } from '../namespace.ts';
import {
  type AccessRight,
  coversResource,
  findRule,
  hasRight,
  type SharedAccessKey,
  type SharedAccessRule,
  verifySignature,
} from '../shared-access-signature.ts';
import type { AmqpRequest, AmqpResponse } from './request-node.ts';
import { types } from './rhea-internals.ts';

/** The claims that one connection has put on $cbs. */
export interface Claims {
  /** True when a link to the path may be attached now by somebody who needs one of the rights. */
  covers(path: string, rights: readonly AccessRight[]): boolean;
  /** True when some valid token covers the path, whatever it allows. */
  isKnown(path: string): boolean;
  /** Allows what the rule allows everywhere, after the client has logged in with its key. */
  logIn(rule: SharedAccessRule): void;
  putToken(request: AmqpRequest): AmqpResponse;
}

const URL_SCHEME = /^[a-z]+:\/\//i;
const URL_PREFIX = /^[a-z]+:\/\/[^/]*/i;

/** Whoever may use a queue may use its management node. */
const MANAGEMENT_SUFFIX = /\/\$management$/i;

function answer(statusCode: number, statusDescription: string): AmqpResponse {
  return {
    properties: {
      'status-code': types.wrap_int(statusCode),
      'status-description': statusDescription,
    },
  };
}

function unauthorized(reason: string): AmqpResponse {
  const { properties } = answer(401, reason);
  return {
    properties: { ...properties, 'error-condition': types.wrap_symbol('amqp:unauthorized-access') },
  };
}

function pathOf(resource: string): string {
  return resource
    .replace(URL_PREFIX, '')
    .replace(/^\/+|\/+$/g, '')
    .replace(MANAGEMENT_SUFFIX, '')
    .toLowerCase();
}

interface Grant {
  /** The empty path stands for the whole namespace. */
  readonly path: string;
  readonly rule: SharedAccessRule;
  readonly expiresAtMs: number;
}

/** Tokens for this many paths count on one connection; the oldest are forgotten first. */
const GRANTS_MAX = 1_000;

export interface ClaimsOptions {
  readonly clock: Clock;
  /** Without rules every token is accepted, and every link, whether a token was put or not. */
  readonly rules: readonly SharedAccessRule[] | undefined;
  /** The rules of the queue at the path. */
  readonly ownRules: (path: string) => QueueAccessRules;
  /** The host that the client has asked for; undefined while it has named none. */
  readonly host: () => string | undefined;
}

const within = (path: string, outer: string): boolean =>
  path === outer || path.startsWith(`${outer}/`);

export function createClaims({ clock, rules, ownRules, host }: ClaimsOptions): Claims {
  const grants = new Map<string, Grant>();
  const grantsFor = (path: string): Grant[] => {
    const wanted = path.toLowerCase();
    return [...grants.values()].filter(
      (grant) =>
        grant.expiresAtMs > clock.nowMs() && (grant.path === '' || within(wanted, grant.path)),
    );
  };
  function add(key: string, grant: Grant): void {
    grants.delete(key);
    grants.set(key, grant);
    const [oldest] = grants.keys();
    if (grants.size > GRANTS_MAX && oldest !== undefined) grants.delete(oldest);
  }
  return {
    covers(path, rights) {
      if (rules === undefined) return true;
      return grantsFor(path).some(({ rule }) => rights.some((right) => hasRight(rule, right)));
    },
    isKnown: (path) => rules === undefined || grantsFor(path).length > 0,
    logIn: (rule) => add('login', { path: '', rule, expiresAtMs: Number.POSITIVE_INFINITY }),
    putToken({ operation, properties, body }) {
      if (operation !== 'put-token') return answer(400, `Unknown operation '${operation}'`);
      if (rules === undefined) return answer(202, 'Accepted');
      const { name } = properties;
      const audience = typeof name === 'string' ? pathOf(name) : '';
      const own = ownRules(audience);
      const all = { rules: [...rules, ...own.rules], nowMs: clock.nowMs() };
      const verdict = verifySignature(String(body), all);
      if (verdict.kind === 'invalid') return unauthorized(verdict.reason);
      const resource = pathOf(verdict.resource);
      // The key of a queue signs nothing that is more than the queue.
      const isBeyond = own.rules.includes(verdict.rule) && !within(resource, own.queueName);
      const isElsewhere = !coversResource(verdict.resource, {
        host: host() ?? verdict.resource.replace(URL_SCHEME, ''),
        path: audience,
      });
      if (isBeyond || isElsewhere) {
        return unauthorized('InvalidAudience: The token does not cover the audience.');
      }
      const { rule, expiresAtMs } = verdict;
      add(`path ${audience}`, { path: audience, rule, expiresAtMs });
      return answer(202, 'Accepted');
    },
  };
}

/** What rhea asks of a mechanism on the server's side. */
interface Mechanism {
  outcome: boolean | undefined;
  username: string | undefined;
  start(response: Buffer | undefined): void;
}

interface SaslInternals {
  readonly sasl_server_mechanisms: Record<string, () => Mechanism>;
}

interface ConnectionInternals {
  readonly sasl_transport?: { readonly selected?: { readonly mechanism?: Mechanism } };
}

/** Logs in with the name and key of an access rule (RFC 4616). */
class PlainMechanism implements Mechanism {
  outcome: boolean | undefined;
  username: string | undefined;
  login: SharedAccessKey | undefined;
  readonly #rules: readonly SharedAccessRule[] | undefined;

  constructor(rules: readonly SharedAccessRule[] | undefined) {
    this.#rules = rules;
  }

  start(response: Buffer | undefined): void {
    const [, name = '', key = ''] = (response ?? Buffer.alloc(0)).toString('utf8').split('\0');
    this.login = { name, key };
    this.username = name;
    this.outcome = this.#rules === undefined || findRule(this.#rules, this.login) !== undefined;
  }
}

/** Lets anybody in: what he may do is left to the claims node. */
function createOpenMechanism(): Mechanism {
  const mechanism: Mechanism = {
    outcome: undefined,
    username: undefined,
    start() {
      mechanism.outcome = true;
    },
  };
  return mechanism;
}

/** The mechanisms of the service. MSSBCBS is what its own libraries call "see $cbs". */
export function enableSasl(
  container: Container,
  rules: readonly SharedAccessRule[] | undefined,
): void {
  const mechanisms = (container as unknown as SaslInternals).sasl_server_mechanisms;
  mechanisms['MSSBCBS'] = createOpenMechanism;
  mechanisms['PLAIN'] = () => new PlainMechanism(rules);
  mechanisms['ANONYMOUS'] = createOpenMechanism;
  mechanisms['EXTERNAL'] = createOpenMechanism;
}

/** The name and key with which the client has logged in, if it has. */
export function loginOf(connection: Connection): SharedAccessKey | undefined {
  const { sasl_transport } = connection as unknown as ConnectionInternals;
  const mechanism = sasl_transport?.selected?.mechanism;
  return mechanism instanceof PlainMechanism ? mechanism.login : undefined;
}
