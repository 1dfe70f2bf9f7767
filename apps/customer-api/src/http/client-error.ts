import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEM_MEDIA_TYPE, PROBLEMS, ProblemError, toProblem } from './problem.ts';

interface ClientErrorOptions {
  readonly region: string;
  readonly newRequestId: () => string;
}

/** Answers what the HTTP parser refuses, before there is any request to route. */
export function createClientErrorHandler(
  options: ClientErrorOptions,
): (error: Error & { code: string }, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    if (socket.writable) socket.write(rawAnswer(problemOf(error.code), options));
    socket.destroy();
  };
}

function problemOf(code: string): ProblemError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ProblemError('request-timeout', { detail: 'The connection is closed.' });
    case 'HPE_HEADER_OVERFLOW':
      return new ProblemError('headers-too-large', { detail: 'All headers: at most 16 KiB.' });
    default:
      return new ProblemError('malformed-request', { detail: 'It is no HTTP/1.1 request.' });
  }
}

function rawAnswer(error: ProblemError, { region, newRequestId }: ClientErrorOptions): string {
  const requestId = newRequestId();
  const body = JSON.stringify(toProblem(error, requestId));
  const { status } = PROBLEMS[error.code];
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-tandem-region: ${region}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
