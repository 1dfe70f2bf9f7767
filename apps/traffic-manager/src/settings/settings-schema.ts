import { ALLOWED_HOSTS_PATTERN } from '@tandem/core';
import { type Static, Type } from 'typebox';

// Bounds of Azure Traffic Manager. Its own words: articles/traffic-manager/traffic-manager-monitoring
// in the Azure documentation.
export const ENDPOINTS_MAX = 200;
const TOLERATED_FAILURES_MAX = 9;

/** Is a day; Traffic Manager itself allows 68 years. */
const DNS_TTL_MS_MAX = 86_400_000;

// Below Traffic Manager's own interval, for a developer's machine and for tests.
const FAST_INTERVAL_MS_MIN = 20;
const FAST_TIMEOUT_MS_MIN = 10;

/** The environment, one property a variable. The description is the rule that an error quotes. */
export const settingsSchema = Type.Object({
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

export type Settings = Static<typeof settingsSchema>;
export type SettingName = keyof Settings;

/** One setting that cannot be used: which, and why, in words for the person who set it. */
export interface SettingProblem {
  readonly variable: SettingName;
  readonly message: string;
}
