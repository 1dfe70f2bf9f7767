import {
  ALLOWED_HOSTS_PATTERN,
  createRequestJudge,
  isBase64Text,
  type JudgeRequest,
  readAllowedHosts,
} from '@tandem/core';
import { findRegionProblems } from '@tandem/region';
import {
  type ConfigReading,
  describeProblem,
  type Environment,
  isLoopback,
  readEnvironment,
  SERVICE_VARIABLES,
  type ServiceConfig,
  serviceConfigOf,
} from '@tandem/service-kit';
import {
  AUTH_VARIABLES,
  type AuthSettings,
  authIssuerVariable,
  authSettingsOf,
  findAuthProblems,
} from '@tandem/service-kit/tokens';
import type { AccountKeys } from '@tandem/table-protocol';
import { type Static, Type } from 'typebox';

const MIB = 1024 * 1024;

/** What the process must know before it can read the table `Configuration`. */
export const EnvironmentSchema = Type.Object({
  ...SERVICE_VARIABLES,
  TABLE_ACCOUNTS: Type.Optional(
    Type.String({
      description:
        'The accounts that clients name in their connection strings, each with the keys that sign for it: ' +
        '`<name>:<key>,<key>`, with `;` between accounts. A name has 3 to 24 small letters and ' +
        'digits; a key is base64, two of them at most, so that one can be changed while the other serves; without ' +
        'a key an account is open to access tokens alone. Without any account every request is refused. A secret.',
      examples: ['shop:<key>,<other key>'],
    }),
  ),
  ...AUTH_VARIABLES,
  AUTH_ISSUER: authIssuerVariable('Without it no token is taken, only keys and signatures.'),
  AUTH_OPEN_NETWORK: Type.Boolean({
    description:
      'Takes the key that every emulator of storage publishes although HOST is no loopback address: for a ' +
      'network of containers that is itself closed, never for production.',
    default: false,
  }),
  ALLOWED_HOSTS: Type.Optional(
    Type.String({
      description:
        'The names under which it may be asked (Host), and whose pages may ask (Origin), with commas; ' +
        '`*.` stands for every name below, `*` for any Host. Addresses, localhost and names without a dot ' +
        'need not be named, nor pages that a CORS rule lets in. When it is not set, any name and page will do, but not where an ' +
        'account has the key that every emulator of storage publishes, by which any page can sign.',
      pattern: ALLOWED_HOSTS_PATTERN,
      examples: ['tables.example.com,*.trafficmanager.net'],
    }),
  ),
  TRUSTED_PROXIES: Type.Optional(
    Type.String({
      description:
        'Networks from which `X-Forwarded-For` and `X-Forwarded-Proto` are believed, with commas between: ' +
        'those of what ends TLS before this process. Signatures that are bound to an address or to HTTPS go by ' +
        'them. Nobody is believed when it is not set.',
      pattern: '^[0-9a-fA-F.:/]+(?:, ?[0-9a-fA-F.:/]+)*$',
      examples: ['10.0.0.0/8'],
    }),
  ),
  BEHIND_TLS: Type.Boolean({
    description:
      'Every caller comes by TLS, which something before this process ends without a header that says so, a ' +
      'sidecar for example.',
    default: false,
  }),
  REQUEST_BODIES_MIB: Type.Integer({
    description:
      'What the bodies of all requests under way together may hold, in MiB; what is beyond is answered with 503. ' +
      'Decoded they take about four times as much.',
    minimum: 8,
    maximum: 65_536,
    default: 64,
    examples: [64],
  }),
});

export interface Config extends ServiceConfig {
  /** Without any nobody may do anything. */
  readonly accounts: readonly AccountKeys[];
  /** Undefined when no token is taken. */
  readonly auth: AuthSettings | undefined;
  /** Undefined when requests of any site are taken. */
  readonly judgeRequest: JudgeRequest | undefined;
  readonly trustedProxies: string | undefined;
  /** Every caller comes by TLS, whatever the request looks like here. */
  readonly isHttps: boolean;
  readonly bodiesBytesMax: number;
  /** May override settings of the table `Configuration`, for development. */
  readonly environment: Environment;
}

/** Reads the environment, and finds all problems at once. */
export function readConfig(environment: Environment): ConfigReading<Config> {
  const reading = readEnvironment(EnvironmentSchema, environment);
  const accounts = readAccounts(reading.ok ? (reading.value.TABLE_ACCOUNTS ?? '') : '');
  const problems = [
    ...(reading.ok ? [] : reading.problems.map(describeProblem)),
    ...findRegionProblems(environment),
    ...(reading.ok ? findProblems(reading.value, accounts) : []),
  ];
  if (!reading.ok || problems.length > 0) return { ok: false, problems };
  const { value } = reading;
  const config = {
    ...serviceConfigOf(value),
    accounts: accounts.accounts,
    auth: authSettingsOf(value),
    judgeRequest: judgeOf(value, accounts.accounts),
    trustedProxies: value.TRUSTED_PROXIES,
    isHttps: value.BEHIND_TLS,
    bodiesBytesMax: value.REQUEST_BODIES_MIB * MIB,
    environment,
  };
  return { ok: true, config: Object.freeze(config) };
}

type EnvironmentValue = Static<typeof EnvironmentSchema>;

function findProblems(
  value: EnvironmentValue,
  { accounts, problems }: ReturnType<typeof readAccounts>,
): readonly string[] {
  const isOpen = hasPublicKey(accounts) && !isLoopback(value.HOST) && !value.AUTH_OPEN_NETWORK;
  return [...problems, ...findAuthProblems(value), ...(isOpen ? [KEY_PUBLIC] : [])];
}

function hasPublicKey(accounts: readonly AccountKeys[]): boolean {
  return accounts.some(({ keys }) => keys.includes(DEVELOPMENT_ACCOUNT.key));
}

function judgeOf({ ALLOWED_HOSTS: names }: EnvironmentValue, accounts: readonly AccountKeys[]) {
  return hasPublicKey(accounts) || names !== undefined
    ? createRequestJudge(readAllowedHosts(names))
    : undefined;
}

/** The account that every emulator of storage publishes, which protects nothing. */
export const DEVELOPMENT_ACCOUNT = {
  account: 'devstoreaccount1',
  key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
} as const;

const ACCOUNT_NAME = /^[a-z0-9]{3,24}$/;
const KEYS_MAX = 2;
const KEY_BYTES_MIN = 32;
/** Begins the addresses of probes. */
const NAME_OF_PROBES = 'health';

/** Names the place of what is wrong and never what stands there: it may be part of a key. */
function readAccounts(text: string): {
  readonly accounts: readonly AccountKeys[];
  readonly problems: readonly string[];
} {
  const accounts: AccountKeys[] = [];
  const problems: string[] = [];
  for (const [index, part] of text
    .split(';')
    .filter((one) => one.trim() !== '')
    .entries()) {
    const [name = '', list = ''] = part.trim().split(/:(.*)/s);
    const keys = list === '' ? [] : list.split(',').map((key) => key.trim());
    const complaint = findAccountFault(name, keys, accounts);
    if (complaint === undefined) accounts.push({ account: name, keys });
    else problems.push(`TABLE_ACCOUNTS cannot be used: account ${index + 1} ${complaint}.`);
  }
  return { accounts, problems };
}

function findAccountFault(
  name: string,
  keys: readonly string[],
  others: readonly AccountKeys[],
): string | undefined {
  if (!ACCOUNT_NAME.test(name)) return 'has no name of 3 to 24 small letters and digits before ":"';
  if (name === NAME_OF_PROBES) return 'is called health, as probes are: choose another name';
  if (others.some(({ account }) => account === name)) return 'is there twice';
  if (keys.length > KEYS_MAX) return `has ${keys.length} keys: give it two at most`;
  const isShort = keys.some(
    (key) => !isBase64Text(key) || Buffer.from(key, 'base64').length < KEY_BYTES_MIN,
  );
  return isShort ? `has a key that is not base64 of ${KEY_BYTES_MIN} bytes or more` : undefined;
}

const KEY_PUBLIC =
  'TABLE_ACCOUNTS has the key that every emulator of storage publishes, and HOST is no loopback address: anyone ' +
  'who reaches it could read and write every table. Make a key (openssl rand -base64 64), or set HOST=127.0.0.1.';
