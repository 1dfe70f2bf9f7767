import type { Namespace } from '../namespace.ts';
import { writeError } from './atom.ts';

/** What an action of the administration interface works with. */
export interface AdminRequest {
  readonly namespace: Namespace;
  readonly namespaceName: string;
  readonly nowMs: number;
  /** Scheme, host and port as the client named them. */
  readonly baseUrl: string;
  /** Decoded, without slashes at its ends. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
  /** True when the client expects the entity to exist (If-Match: *). */
  readonly mustExist: boolean;
}

export interface AdminResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type AdminAction = (request: AdminRequest) => Promise<AdminResponse>;

const ATOM_TYPE = 'application/atom+xml;type=entry;charset=utf-8';
const XML_TYPE = 'application/xml;charset=utf-8';

export function atom(status: number, body: string): AdminResponse {
  return { status, contentType: ATOM_TYPE, body };
}

export function failure(status: number, detail: string): AdminResponse {
  return { status, contentType: XML_TYPE, body: writeError(status, detail) };
}

export function notFound(name: string): AdminResponse {
  return failure(404, `No service is hosted at the specified address: entity '${name}' is absent.`);
}
