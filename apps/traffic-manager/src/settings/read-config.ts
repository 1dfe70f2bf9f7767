import { readAllowedHosts, readPastedText } from '@tandem/core';
import type { TSchemaOptions } from 'typebox';
import { Value } from 'typebox/value';
import type { EndpointAddress } from '../monitoring/profile.ts';
import {
  ENDPOINTS_MAX,
  type SettingName,
  type SettingProblem,
  type Settings,
  settingsSchema,
} from './settings-schema.ts';

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
