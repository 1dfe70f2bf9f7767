import {
  type DrillAnswer,
  type DrillClient,
  decodeVector,
  encodeVector,
  type ProbeSettings,
  readInstantMs,
} from '@tandem/core';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { UsageError } from '../exit-codes.ts';
import { readPasted } from '../inventory/inventory.ts';
import type { WorkIo } from '../io.ts';

export interface HttpDrillClientOptions {
  /** Where clients ask: the traffic manager. */
  readonly front: string;
  readonly customerId: string;
  /** Where the API asks for one. */
  readonly token: string | undefined;
  /** Told why an answer is none. */
  readonly onFailed?: (why: string) => void;
}

/**
 * Returns the token of `TANDEM_TOKEN`, also where somebody pasted it with the name of its scheme; undefined where none is
 * given. Throws `UsageError` for one that no header can hold.
 */
export function tokenIn(environment: WorkIo['environment']): string | undefined {
  const text = readPasted(environment['TANDEM_TOKEN'] ?? '', 'TANDEM_TOKEN');
  const token = text.replace(/^Bearer +/i, '');
  if (/^[\x21-\x7E]*$/.test(token)) return token === '' ? undefined : token;
  throw new UsageError('TANDEM_TOKEN holds a blank or a letter beyond ASCII, and is no token.');
}

const TIMEOUT_MS = 10_000;
const NOT_FOUND = 404;
const NAME = /^drill (\d+)$/;

const checkCustomer = Compile(
  Type.Object({ lastName: Type.Optional(Type.Union([Type.String(), Type.Null()])) }),
);

/** Makes a client that writes and reads a customer of the drill's own, through the customer API. */
export function createHttpDrillClient(options: HttpDrillClientOptions): DrillClient {
  const { customerId, token, onFailed = () => undefined } = options;
  const url = `${options.front.replace(/\/$/, '')}/customers/${customerId}`;
  const auth = token === undefined ? {} : { authorization: `Bearer ${token}` };

  const ask = async (
    init: { readonly method: string; readonly body?: string },
    least: Parameters<DrillClient['read']>[0],
  ): Promise<Response | undefined> => {
    const headers = {
      ...auth,
      ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(least === undefined ? {} : { 'x-tandem-min-version': encodeVector(least) }),
    };
    try {
      // Each request looks up anew where it goes: an open connection would stay with its region.
      const request = { ...init, headers: { ...headers, connection: 'close' } };
      return await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch (error) {
      // Refused, reset or timed out: for a client all are the same.
      onFailed(`nobody answers (${error instanceof Error ? error.name : 'unknown'})`);
      return undefined;
    }
  };
  const answerOf = async (response: Response | undefined): Promise<DrillAnswer> => {
    const answer = await toAnswer(response);
    if (answer.kind === 'failed' && response !== undefined)
      onFailed(`the answer is ${response.status}, and none of a region that serves`);
    return answer;
  };

  return {
    async write(count, least) {
      const email = `drill-${customerId}@example.invalid`;
      const body = JSON.stringify({ email, lastName: `drill ${count}` });
      return answerOf(await ask({ method: 'PUT', body }, least));
    },
    read: async (least) => answerOf(await ask({ method: 'GET' }, least)),
    async remove() {
      const response = await ask({ method: 'DELETE' }, undefined);
      await response?.body?.cancel();
    },
  };
}

async function toAnswer(response: Response | undefined): Promise<DrillAnswer> {
  if (response === undefined) return { kind: 'failed' };
  const region = response.headers.get('x-tandem-region');
  if (region === null) return { kind: 'failed' };
  // Cut off in the middle, as while a region goes down: no answer either.
  const text = await response.text().catch(() => undefined);
  if (text === undefined) return { kind: 'failed' };
  const version = decodeVector(response.headers.get('x-tandem-version') ?? '') ?? new Map();
  if (response.ok) {
    const count = countIn(text);
    return count === undefined ? { kind: 'failed' } : { kind: 'answered', region, version, count };
  }
  if (response.status === NOT_FOUND) return { kind: 'answered', region, version, count: 0 };
  return text.includes('version-not-reached') ? { kind: 'refused', region } : { kind: 'failed' };
}

/** Returns the number that was written; undefined for a text that is no customer. */
function countIn(text: string): number | undefined {
  try {
    const customer: unknown = JSON.parse(text);
    if (!checkCustomer.Check(customer)) return undefined;
    return Number(NAME.exec(customer.lastName ?? '')?.[1] ?? 0);
  } catch {
    // Something in between has answered in the name of the region.
    return undefined;
  }
}

const READINESS_TIMEOUT_MS = 5_000;
const READY = 200;
const NOT_READY = 503;

/** Asks a region whether it may take traffic; undefined when it says neither. */
export async function readReadiness(api: string): Promise<boolean | undefined> {
  try {
    const signal = AbortSignal.timeout(READINESS_TIMEOUT_MS);
    const response = await fetch(`${api.replace(/\/$/, '')}/health/ready`, { signal });
    await response.body?.cancel();
    if (response.status === READY) return true;
    return response.status === NOT_READY ? false : undefined;
  } catch {
    // It is down, or out of reach: both are no answer.
    return undefined;
  }
}

const STATUS_TIMEOUT_MS = 5_000;

const StatusSchema = Type.Object({
  probing: Type.Object({
    intervalMs: Type.Integer(),
    timeoutMs: Type.Integer(),
    toleratedFailures: Type.Integer(),
    ttlMs: Type.Integer(),
  }),
  current: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  endpoints: Type.Array(Type.Object({ name: Type.String(), state: Type.String() })),
  transitions: Type.Array(Type.Object({ at: Type.String() })),
});
const checkStatus = Compile(StatusSchema);

export interface TrafficManagerSight {
  readonly probing: ProbeSettings;
  /** The one that it sends clients to; undefined where it says none. */
  readonly current: string | undefined;
  /** Those that it counts on. */
  readonly online: readonly string[];
  /** When it last changed its mind about one, in milliseconds; undefined when it never did. */
  readonly changedMs: number | undefined;
}

/**
 * Reads what the stand-in says of itself; undefined where there is none: Azure's has no such page.
 */
export async function readTrafficManager(
  url: string | undefined,
): Promise<TrafficManagerSight | undefined> {
  if (url === undefined) return undefined;
  try {
    const signal = AbortSignal.timeout(STATUS_TIMEOUT_MS);
    const page = `${url.replace(/\/$/, '')}/_traffic-manager/status`;
    const status: unknown = await (await fetch(page, { signal })).json();
    return checkStatus.Check(status) ? sightOf(status) : undefined;
  } catch {
    // Not there, or something else: the settings can be given.
    return undefined;
  }
}

function sightOf({
  probing,
  current,
  endpoints,
  transitions,
}: Static<typeof StatusSchema>): TrafficManagerSight {
  const changes = transitions.flatMap(({ at }) => readInstantMs(at) ?? []);
  return {
    probing,
    current: current ?? undefined,
    online: endpoints.flatMap(({ name, state }) => (state === 'online' ? [name] : [])),
    changedMs: changes.length === 0 ? undefined : Math.max(...changes),
  };
}
