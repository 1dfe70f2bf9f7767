import { ALLOWED_HOSTS_PATTERN, readAllowedHosts, readPastedText } from '@tandem/core';
import { type Static, type TSchemaOptions, Type } from 'typebox';
import { Value } from 'typebox/value';
import type { EndpointAddress } from '../monitoring/profile.ts';

// Bounds of Azure Traffic Manager. Its own words: articles/traffic-manager/traffic-manager-monitoring
// in the Azure documentation.
const ENDPOINTS_MAX = 200;
const TOLERATED_FAILURES_MAX = 9;

/** Is a day; Traffic Manager itself allows 68 years. */
const DNS_TTL_MS_MAX = 86_400_000;

// Below Traffic Manager's own interval, for a developer's machine and for tests.
const FAST_INTERVAL_MS_MIN = 20;
const FAST_TIMEOUT_MS_MIN = 10;

/** The environment, one property a variable. The description is the rule that an error quotes. */
const settingsSchema = Type.Object({
  ENDPOINTS: Type.String({
    minLength: 1,
    description: `comma-separated name=url, 1 to ${ENDPOINTS_MAX}, the first is preferred; names of a-z, 0-9 and '-', urls as http://host:port, neither twice`,
    examples: ['east=http://127.0.0.1:8081,west=http://127.0.0.1:8082'],
  }),
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 8080,
    description: 'a port from 0 (any free one) to 65535',
    examples: ['8080'],
  }),
  HOST: Type.String({
    minLength: 1,
    default: '127.0.0.1',
    description: 'the address to listen on',
    examples: ['0.0.0.0'],
  }),
  ALLOWED_HOSTS: Type.String({
    pattern: ALLOWED_HOSTS_PATTERN,
    default: 'localhost',
    description:
      'comma-separated names under which its own pages may be asked for, besides addresses and names without a dot; *. for every name below, * for any',
    examples: ['traffic.example.com'],
  }),
  PROBE_INTERVAL_MS: Type.Integer({
    minimum: FAST_INTERVAL_MS_MIN,
    maximum: 30_000,
    default: 10_000,
    description: `10000 or 30000 as in Traffic Manager; ${FAST_INTERVAL_MS_MIN} to 9999 only with ALLOW_FAST_PROBES=true, for local use`,
    examples: ['10000'],
  }),
  PROBE_TIMEOUT_MS: Type.Integer({
    minimum: FAST_TIMEOUT_MS_MIN,
    maximum: 10_000,
    default: 9000,
    description: `5000 to 9000 with an interval of 10000, 5000 to 10000 with one of 30000, ${FAST_TIMEOUT_MS_MIN} to 10000 with a shorter one`,
    examples: ['9000'],
  }),
  TOLERATED_FAILURES: Type.Integer({
    minimum: 0,
    maximum: TOLERATED_FAILURES_MAX,
    default: 3,
    description: `0 to ${TOLERATED_FAILURES_MAX}; one more failure in a row degrades the endpoint`,
    examples: ['3'],
  }),
  PROBE_PATH: Type.String({
    pattern: String.raw`^/[^\s#]*$`,
    default: '/health/ready',
    description: 'a path that begins with / and has no space and no #',
    examples: ['/health/ready'],
  }),
  DNS_TTL_MS: Type.Integer({
    minimum: 0,
    maximum: DNS_TTL_MS_MAX,
    default: 10_000,
    description: `0 to ${DNS_TTL_MS_MAX}; so long a client keeps the endpoint that it was last sent to`,
    examples: ['10000'],
  }),
  ALLOW_FAST_PROBES: Type.Boolean({
    default: false,
    description: 'true or false',
    examples: ['true'],
  }),
});

type Settings = Static<typeof settingsSchema>;
type SettingName = keyof Settings;

/** One setting that cannot be used: which, and why, in words for the person who set it. */
interface SettingProblem {
  readonly variable: SettingName;
  readonly message: string;
}

export interface TrafficManagerConfig {
  readonly listen: { readonly host: string; readonly port: number };
  /** More names under which the stand-in's own pages may be asked for. */
  readonly allowedHosts: readonly string[];
  /** Stand in priority order. */
  readonly endpoints: readonly EndpointAddress[];
  readonly probing: {
    readonly intervalMs: number;
    readonly timeoutMs: number;
    readonly toleratedFailures: number;
    readonly path: string;
    /** How long a client keeps the answer of a look-up. */
    readonly ttlMs: number;
  };
}

export type ConfigOutcome =
  | { readonly kind: 'valid'; readonly config: TrafficManagerConfig }
  | { readonly kind: 'invalid'; readonly problems: readonly SettingProblem[] };

type Environment = Readonly<Record<string, string | undefined>>;

const SETTING_NAMES = Object.keys(settingsSchema.properties) as SettingName[];

/** Reads all settings and collects every problem. Pure; an empty variable counts as unset. */
export function readConfig(env: Environment): ConfigOutcome {
  const problems: SettingProblem[] = [];
  const values: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) {
    const { value, problem } = readSetting(name, env[name] ?? '');
    values[name] = value;
    if (problem !== undefined) problems.push({ variable: name, message: problem });
  }
  const listed = values['ENDPOINTS'];
  const { endpoints, problems: bad } = parseEndpoints(typeof listed === 'string' ? listed : '');
  const failed = new Set(problems.map(({ variable }) => variable));
  if (!failed.has('ENDPOINTS')) {
    problems.push(...bad.map((message) => ({ variable: 'ENDPOINTS' as const, message })));
  }
  const settings = values as Settings;
  const timing = ['PROBE_INTERVAL_MS', 'PROBE_TIMEOUT_MS', 'ALLOW_FAST_PROBES'] as const;
  if (!timing.some((name) => failed.has(name))) problems.push(...findProbeTimingProblems(settings));
  if (problems.length > 0) return { kind: 'invalid', problems };
  return { kind: 'valid', config: toConfig(settings, endpoints) };
}

/** One line for a person: the variable, what is wrong, the rule and an example. */
export function describeProblem({ variable, message }: SettingProblem): string {
  const rule: TSchemaOptions = { ...settingsSchema.properties[variable] };
  const [example] = [rule.examples].flat();
  return `${variable}: ${message}. Rule: ${rule.description}. Example: ${variable}=${String(example)}`;
}

function readSetting(name: SettingName, given: string): { value?: unknown; problem?: string } {
  const schema = settingsSchema.properties[name];
  const read = readPastedText(given);
  if (read.kind === 'unreadable') return { problem: `it ${read.problem}` };
  const { text } = read;
  if (text === '') {
    return 'default' in schema ? { value: schema.default } : { problem: 'is required' };
  }
  const value = decode(schema.type, text);
  return Value.Check(schema, value) ? { value } : { problem: `"${text}" cannot be used` };
}

function decode(type: 'string' | 'integer' | 'boolean', text: string): unknown {
  switch (type) {
    case 'string':
      return text;
    case 'integer':
      return /^\d+$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' || text === 'false' ? text === 'true' : text;
    default:
      return assertNever(type);
  }
}

function assertNever(type: never): never {
  throw new Error(`No decoder for settings of the type ${String(type)}.`);
}

function toConfig(settings: Settings, endpoints: readonly EndpointAddress[]): TrafficManagerConfig {
  return Object.freeze({
    listen: Object.freeze({ host: settings.HOST, port: settings.PORT }),
    allowedHosts: Object.freeze(readAllowedHosts(settings.ALLOWED_HOSTS)),
    endpoints: Object.freeze(endpoints.map((endpoint) => Object.freeze(endpoint))),
    probing: Object.freeze({
      intervalMs: settings.PROBE_INTERVAL_MS,
      timeoutMs: settings.PROBE_TIMEOUT_MS,
      toleratedFailures: settings.TOLERATED_FAILURES,
      path: settings.PROBE_PATH,
      ttlMs: settings.DNS_TTL_MS,
    }),
  });
}

const ENDPOINT_NAME = /^[a-z][a-z0-9-]{0,62}$/;

interface ParsedEndpoints {
  readonly endpoints: readonly EndpointAddress[];
  readonly problems: readonly string[];
}

/** Reads `east=http://127.0.0.1:8081,west=…`; the order is the priority. Reports every bad entry. */
function parseEndpoints(text: string): ParsedEndpoints {
  const problems: string[] = [];
  const endpoints: EndpointAddress[] = [];
  const entries = text.split(',').map((entry) => entry.trim());
  if (entries.length > ENDPOINTS_MAX) {
    return { endpoints, problems: [`has ${entries.length} endpoints, more than ${ENDPOINTS_MAX}`] };
  }
  for (const entry of entries) {
    const separator = entry.indexOf('=');
    const name = entry.slice(0, Math.max(0, separator));
    const url = parseOrigin(entry.slice(separator + 1));
    if (!ENDPOINT_NAME.test(name)) problems.push(`"${entry}" does not begin with a name and =`);
    else if (url === undefined) problems.push(`"${entry}" does not name a url http://host:port`);
    else if (endpoints.some((other) => other.name === name)) {
      problems.push(`the name ${name} is there twice`);
    } else if (endpoints.some((other) => other.url === url)) {
      problems.push(`the url ${url} is there twice`);
    } else endpoints.push({ name, url });
  }
  return { endpoints, problems };
}

/** The url's origin, when there is nothing else in it. */
function parseOrigin(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const hasOnlyOrigin = url.href === `${url.origin}/`;
  return url.protocol === 'http:' && hasOnlyOrigin ? url.origin : undefined;
}

type ProbeTiming = Pick<Settings, 'PROBE_INTERVAL_MS' | 'PROBE_TIMEOUT_MS' | 'ALLOW_FAST_PROBES'>;

const TIMEOUT_MS_MIN = 5000;
const TIMEOUT_MS_MAX_BY_INTERVAL_MS: ReadonlyMap<number, number> = new Map([
  [10_000, 9000],
  [30_000, 10_000],
]);
const FAST_INTERVAL_MS_LIMIT = 10_000;

/** Returns what breaks the rules by which Traffic Manager ties the interval and the time-out of probes together. */
function findProbeTimingProblems(timing: ProbeTiming): readonly SettingProblem[] {
  const { PROBE_INTERVAL_MS: intervalMs, PROBE_TIMEOUT_MS: timeoutMs } = timing;
  if (intervalMs < FAST_INTERVAL_MS_LIMIT) {
    if (timing.ALLOW_FAST_PROBES) return [];
    return [
      {
        variable: 'PROBE_INTERVAL_MS',
        message: `${intervalMs} is below the 10000 of Traffic Manager; for local use only, set ALLOW_FAST_PROBES=true to allow it`,
      },
    ];
  }
  const timeoutMsMax = TIMEOUT_MS_MAX_BY_INTERVAL_MS.get(intervalMs);
  if (timeoutMsMax === undefined) {
    return [
      {
        variable: 'PROBE_INTERVAL_MS',
        message: `${intervalMs} is neither of the two that Traffic Manager has, 10000 and 30000`,
      },
    ];
  }
  if (timeoutMs >= TIMEOUT_MS_MIN && timeoutMs <= timeoutMsMax) return [];
  return [
    {
      variable: 'PROBE_TIMEOUT_MS',
      message: `${timeoutMs} is not from ${TIMEOUT_MS_MIN} to ${timeoutMsMax}, the bounds of Traffic Manager with an interval of ${intervalMs}`,
    },
  ];
}
