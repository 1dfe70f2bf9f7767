import { type Agent, type ClientRequest, request as httpRequest } from 'node:http';
import type { Answer } from '../../document/answer-checker.ts';
import type { PlannedRequest } from '../requests/planned-request.ts';
import { sendRaw } from './send-raw.ts';

/** `none`: the connection ended without an answer; `late`: it did not end in time either. */
export type Sent =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'none'; readonly reason: string }
  | { readonly kind: 'late' };

export interface SendOptions {
  readonly port: number;
  readonly agent: Agent;
}

/** Longer than any answer takes on a busy machine. */
const ANSWER_MS_MAX = 120_000;

/** Sends the request, by a client that leaves it as it is. */
export function sendRequest(planned: PlannedRequest, { port, agent }: SendOptions): Promise<Sent> {
  if (planned.raw !== undefined) return sendRaw(planned.raw, port);
  return new Promise((resolve) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      agent,
      method: planned.method,
      path: planned.target,
      headers: headersOf(planned),
      timeout: ANSWER_MS_MAX,
    });
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', (error) => resolve({ kind: 'none', reason: error.message }));
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ kind: 'answer', answer: { status, headers, body: Buffer.concat(chunks) } });
      });
    });
    request.on('error', (error) => resolve({ kind: 'none', reason: error.message }));
    request.on('timeout', () => {
      resolve({ kind: 'late' });
      request.destroy();
    });
    writeBody(request, planned);
  });
}

function headersOf({ headers, body }: PlannedRequest): Record<string, string | string[]> {
  const all: Record<string, string[]> = {};
  for (const [name, value] of headers) (all[name] ??= []).push(value);
  if (body !== undefined) all['content-length'] = [String(body.length)];
  return Object.fromEntries(
    Object.entries(all).map(([name, values]) => [
      name,
      values.length === 1 ? (values[0] ?? '') : values,
    ]),
  );
}

function writeBody(request: ClientRequest, { body, isCutShort }: PlannedRequest): void {
  if (isCutShort !== true) {
    request.end(body);
    return;
  }
  const half = body?.subarray(0, Math.floor(body.length / 2));
  request.write(half ?? '', () => request.destroy());
}
