import { readAllowedHosts, readPastedText } from '@tandem/core';
import type { TSchemaOptions } from 'typebox';
import { Value } from 'typebox/value';
import type { EndpointAddress } from '../monitoring/profile.ts';
import { parseEndpoints } from './parse-endpoints.ts';
import { findProbeTimingProblems } from './probe-timing.ts';
import {
  type SettingName,
  type SettingProblem,
  type Settings,
  settingsSchema,
} from './settings-schema.ts';

export interface TrafficManagerConfig {
  readonly listen: { readonly host: string; readonly port: number };
  /** More names under which the stand-in's own pages may be asked for. */
  readonly allowedHosts: readonly string[];
  /** In priority order. */
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
