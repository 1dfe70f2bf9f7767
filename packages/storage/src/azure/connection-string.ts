export interface StorageConnection {
  /** The URL of the tables, as it was given or put together. */
  readonly url: string;
  readonly account: string | undefined;
  readonly key: string | undefined;
  readonly signature: string | undefined;
}

/** Undefined for a text that describes no account. What it holds is secret. */
export function readConnectionString(text: string): StorageConnection | undefined {
  const parts = new Map<string, string>();
  for (const part of text.split(';')) {
    const at = part.indexOf('=');
    if (at > 0) parts.set(part.slice(0, at).trim().toLowerCase(), part.slice(at + 1).trim());
  }
  const account = parts.get('accountname');
  const key = parts.get('accountkey');
  const signature = parts.get('sharedaccesssignature');
  const suffix = parts.get('endpointsuffix') ?? 'core.windows.net';
  const protocol = parts.get('defaultendpointsprotocol') ?? 'https';
  const built = account === undefined ? undefined : `${protocol}://${account}.table.${suffix}`;
  const url = parts.get('tableendpoint') ?? built;
  const isSigned = signature !== undefined || (account !== undefined && key !== undefined);
  if (url === undefined || !isSigned || !URL.canParse(url)) return undefined;
  return { url, account, key, signature };
}
