import type { Clock } from '../clock.ts';
import { verifySignature, type SharedAccessKey } from '../shared-access-signature.ts';
import type { AmqpRequest, AmqpResponse } from './request-node.ts';

/** The claims that one connection has put on $cbs. */
export interface Claims {
  /** True when a link to the path may be attached now. */
  covers(path: string): boolean;
  putToken(request: AmqpRequest): AmqpResponse;
}

const URL_PREFIX = /^[a-z]+:\/\/[^/]*/i;

function answer(statusCode: number, statusDescription: string): AmqpResponse {
  return {
    properties: { 'status-code': statusCode, 'status-description': statusDescription },
  };
}

function unauthorized(reason: string): AmqpResponse {
  const { properties } = answer(401, reason);
  return { properties: { ...properties, 'error-condition': 'amqp:unauthorized-access' } };
}

function pathOf(resource: string): string {
  return resource
    .replace(URL_PREFIX, '')
    .replace(/^\/+|\/+$/g, '')
    .toLowerCase();
}

/** Without a key every token is accepted, and every link, whether a token was put or not. */
export function createClaims(clock: Clock, sharedAccessKey: SharedAccessKey | undefined): Claims {
  /** The paths of the verified tokens; the empty path stands for the whole namespace. */
  const granted = new Set<string>();
  return {
    covers(path) {
      if (sharedAccessKey === undefined) return true;
      const wanted = path.toLowerCase();
      return [...granted].some(
        (prefix) => prefix === '' || wanted === prefix || wanted.startsWith(`${prefix}/`),
      );
    },
    putToken({ operation, properties, body }) {
      if (operation !== 'put-token') return answer(400, `Unknown operation '${operation}'`);
      if (sharedAccessKey === undefined) return answer(202, 'Accepted');
      const verdict = verifySignature(String(body), { sharedAccessKey, nowMs: clock.nowMs() });
      if (verdict.kind === 'invalid') return unauthorized(verdict.reason);
      const { name } = properties;
      const audience = typeof name === 'string' ? pathOf(name) : '';
      const resource = pathOf(verdict.resource);
      if (resource !== '' && audience !== resource && !audience.startsWith(`${resource}/`)) {
        return unauthorized('InvalidAudience: The token does not cover the audience.');
      }
      granted.add(audience);
      return answer(202, 'Accepted');
    },
  };
}
