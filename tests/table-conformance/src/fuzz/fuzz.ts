/** Sends drawn requests with damage in their addresses, headers and bodies: what a broken or hostile client sends. */
import { createHmac } from 'node:crypto';
import type { Randomness } from '@tandem/core';
import type { Endpoint, EndpointRequest } from '@tandem/table-endpoint';
import { RequestDrawer, TABLES } from '../differential/draw-request.ts';

export interface FuzzOptions {
  readonly endpoint: Endpoint;
  readonly account: string;
  /** In base64. */
  readonly key: string;
  readonly requests: number;
  readonly random: Randomness;
}

export interface FuzzReport {
  readonly byStatus: Readonly<Record<number, number>>;
  /** Targets that were answered with 500: the endpoint did not foresee them. */
  readonly unforeseen: readonly string[];
}

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { endpoint, requests, random } = options;
  const drawer = new RequestDrawer(random);
  const damage = new Damage(random);
  const byStatus: Record<number, number> = {};
  const unforeseen: string[] = [];
  for (const table of TABLES) {
    const body = JSON.stringify({ TableName: table });
    await endpoint(signed({ method: 'POST', target: '/Tables', headers: {}, body }, options));
  }
  for (let index = 0; index < requests; index += 1) {
    const drawn = drawer.draw();
    const request = damage.isOfSignature()
      ? damage.damaged(signed(drawn, options))
      : signed(damage.damaged(drawn), options);
    const { status } = await endpoint(request);
    byStatus[status] = (byStatus[status] ?? 0) + 1;
    if (status === 500) unforeseen.push(`${request.method} ${request.target.slice(0, 200)}`);
  }
  return { byStatus, unforeseen };
}

interface Damageable {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

function signed(
  { method, target, headers, body }: Damageable,
  { account, key }: FuzzOptions,
): EndpointRequest {
  const date = new Date().toUTCString();
  const path = `/${account}${target}`;
  const [resource = ''] = path.split('?');
  const comp = /[?&]comp=([^&]*)/.exec(target)?.[1];
  const text = `${date}\n/${account}${resource}${comp === undefined ? '' : `?comp=${comp}`}`;
  const signature = createHmac('sha256', Buffer.from(key, 'base64'))
    .update(text, 'utf8')
    .digest('base64');
  return {
    method,
    target: path,
    headers: {
      host: '127.0.0.1',
      ...headers,
      'x-ms-date': date,
      authorization: `SharedKeyLite ${account}:${signature}`,
    },
    body,
    ip: '127.0.0.1',
    isHttps: false,
  };
}

const PIECES = [
  '%',
  '%00',
  '%C3',
  '%2F',
  "'",
  "''",
  '(',
  ')',
  ',',
  '/',
  '//',
  '?',
  '&',
  '=',
  '$',
  '$filter=',
  '$select=',
  '$top=-1',
  '\u0000',
  '\uD800',
  '\r\n',
  '--batch_1',
  '--changeset_1--',
  '{',
  '}',
  '[',
  '"',
  '\\',
  'null',
  '1e999',
  '__proto__',
  'constructor',
  'not (',
  ' and ',
  " eq '",
  "datetime'",
  "X'",
  'PartitionKey',
  "RowKey='",
  'odata.type',
  '@odata.type',
  '(('.repeat(200),
  'a'.repeat(5_000),
  '😀',
  'comp=acl',
  'restype=service&comp=properties',
  'sig=x',
  '<!DOCTYPE a>',
] as const;
const HEADERS = [
  'accept',
  'content-type',
  'if-match',
  'prefer',
  'x-ms-version',
  'x-http-method',
  'x-ms-date',
  'authorization',
  'host',
  'origin',
  'dataserviceversion',
] as const;
const METHODS = [
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'MERGE',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'TRACE',
] as const;

class Damage {
  readonly #random: Randomness;

  constructor(random: Randomness) {
    this.#random = random;
  }

  /** Whether the request is damaged behind its signature, and so not the client's any more. */
  isOfSignature(): boolean {
    return this.#random.fraction() < 0.2;
  }

  damaged<R extends Damageable>(request: R): R {
    let current = request;
    for (let count = 1 + this.#below(3); count > 0; count -= 1) current = this.#once(current);
    return current;
  }

  #once<R extends Damageable>(request: R): R {
    switch (this.#below(6)) {
      case 0:
        return { ...request, method: this.#one(METHODS) };
      case 1: {
        const target = this.#torn(request.target);
        return { ...request, target: target.startsWith('/') ? target : `/${target}` };
      }
      case 2: {
        const name = this.#one(HEADERS);
        const value = this.#torn(request.headers[name] ?? '');
        return { ...request, headers: { ...request.headers, [name]: value } };
      }
      case 3: {
        const { [this.#one(HEADERS)]: _, ...headers } = request.headers;
        return { ...request, headers };
      }
      default:
        return { ...request, body: this.#torn(request.body) };
    }
  }

  /** Returns the text with a piece put in, cut out, doubled or replaced. */
  #torn(text: string): string {
    const from = this.#below(text.length + 1);
    const to = Math.min(text.length, from + this.#below(12));
    const [before, within, after] = [text.slice(0, from), text.slice(from, to), text.slice(to)];
    switch (this.#below(4)) {
      case 0:
        return before + this.#one(PIECES) + within + after;
      case 1:
        return before + after;
      case 2:
        return before + within + within + after;
      default:
        return before + this.#one(PIECES) + after;
    }
  }

  #below(bound: number): number {
    return Math.floor(this.#random.fraction() * bound);
  }

  #one<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!;
  }
}
