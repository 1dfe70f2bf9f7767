import { TerminalError } from '@tandem/core';
import {
  type AccountCredential,
  createIdentityCredential,
  createKeyCredential,
  createSignatureCredential,
} from './account-credential.ts';
import { readConnectionString } from './connection-string.ts';
import { createHttpTransport, type HttpAnswer } from './http-transport.ts';
import type { TableRequest } from './table-request.ts';

export type TableAccountOptions =
  /** With the account's key or a shared access signature. */
  | { readonly connectionString: string }
  /** `https://<account>.table.core.windows.net`, with the identity of the environment. */
  | { readonly accountUrl: string };

export interface TableAccount {
  /** Ends in a slash. */
  readonly url: string;
  /** Sends once and answers whatever comes; throws `CallTimedOut` and what the network throws. */
  send(request: TableRequest, timeoutMs: number): Promise<HttpAnswer>;
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const COMMON_HEADERS = {
  'x-ms-version': '2019-02-02',
  DataServiceVersion: '3.0',
  MaxDataServiceVersion: '3.0;NetFx',
};

/** Throws `CONFIGURATION_INVALID`. */
export function createTableAccount(options: TableAccountOptions): TableAccount {
  const { url, credential } = describe(options);
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) {
    throw invalid(`The storage account at ${url.host} is not on this machine: use https.`);
  }
  const root = url.pathname.replace(/\/*$/, '/');
  const transport = createHttpTransport(url.origin);
  return {
    url: `${url.origin}${root}`,
    async send(request, timeoutMs) {
      const { method, body } = request;
      const path = `${root}${request.path}`;
      const at = path.indexOf('?');
      const signed = await credential.headersFor(at < 0 ? path : path.slice(0, at));
      const headers = { ...COMMON_HEADERS, ...request.headers, ...signed };
      return transport(
        { method, path: withQuery(path, credential.query), headers, body },
        timeoutMs,
      );
    },
  };
}

function describe(options: TableAccountOptions): { url: URL; credential: AccountCredential } {
  if ('accountUrl' in options) {
    if (!URL.canParse(options.accountUrl)) throw invalid(NOT_DESCRIBED);
    return { url: new URL(options.accountUrl), credential: createIdentityCredential() };
  }
  const connection = readConnectionString(options.connectionString);
  if (connection === undefined) throw invalid(NOT_DESCRIBED);
  const { account, key, signature } = connection;
  const credential =
    account !== undefined && key !== undefined
      ? createKeyCredential(account, key)
      : createSignatureCredential(signature ?? '');
  return { url: new URL(connection.url), credential };
}

function withQuery(path: string, query: string): string {
  if (query === '') return path;
  return `${path}${path.includes('?') ? '&' : '?'}${query}`;
}

/** What was given may hold a secret, so it is not quoted. */
const NOT_DESCRIBED = 'The storage account is not well described.';

function invalid(what: string): TerminalError {
  const remedy =
    'Give a connection string of a storage account (DefaultEndpointsProtocol=https;AccountName=…;' +
    'AccountKey=…) or the URL of its tables (https://<account>.table.core.windows.net).';
  return new TerminalError('CONFIGURATION_INVALID', `${what} ${remedy}`);
}
