import { createHmac } from 'node:crypto';
import { DefaultAzureCredential } from '@azure/identity';

/** What makes a request one that the account accepts. */
export interface AccountCredential {
  /** Appended to every URL; empty unless a shared access signature is used. */
  readonly query: string;
  /** `path` begins with a slash and has no query. */
  headersFor(path: string): Promise<Readonly<Record<string, string>>>;
}

/** With the account's key, in the short form that the table service has for it. */
export function createKeyCredential(account: string, key: string): AccountCredential {
  const secret = Buffer.from(key, 'base64');
  return {
    query: '',
    async headersFor(path) {
      const date = new Date().toUTCString();
      const signature = createHmac('sha256', secret)
        .update(`${date}\n/${account}${path}`)
        .digest('base64');
      return { 'x-ms-date': date, Authorization: `SharedKeyLite ${account}:${signature}` };
    },
  };
}

export function createSignatureCredential(signature: string): AccountCredential {
  return { query: signature.replace(/^\?/, ''), headersFor: async () => ({}) };
}

const SCOPE = 'https://storage.azure.com/.default';
/** Ahead of its end, so that no request is on its way with a token that has just run out. */
const REFRESH_AHEAD_MS = 5 * 60_000;

/** With the identity of the environment; the token is kept until shortly before its end. */
export function createIdentityCredential(): AccountCredential {
  const identity = new DefaultAzureCredential();
  let token: { readonly text: string; readonly refreshAtMs: number } | undefined;
  let asking: Promise<void> | undefined;

  const ask = async (): Promise<void> => {
    try {
      const { token: text, expiresOnTimestamp } = await identity.getToken(SCOPE);
      token = { text, refreshAtMs: expiresOnTimestamp - REFRESH_AHEAD_MS };
    } finally {
      asking = undefined;
    }
  };

  return {
    query: '',
    async headersFor() {
      if (token === undefined || Date.now() >= token.refreshAtMs) await (asking ??= ask());
      return {
        'x-ms-date': new Date().toUTCString(),
        Authorization: `Bearer ${token?.text ?? ''}`,
      };
    },
  };
}
