import { connect } from 'node:net';
import type { Sent } from './send-request.ts';

const ANSWER_MS_MAX = 60_000;
const HEAD_END = Buffer.from('\r\n\r\n');

/** Writes the bytes and reads one answer, the first. */
export function sendRaw(bytes: Buffer, port: number): Promise<Sent> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let read = Buffer.alloc(0);
    const finish = (sent: Sent): void => {
      resolve(sent);
      socket.destroy();
    };
    socket.setTimeout(ANSWER_MS_MAX, () => finish({ kind: 'late' }));
    socket.on('error', (error) => finish({ kind: 'none', reason: error.message }));
    socket.on('data', (chunk) => {
      read = Buffer.concat([read, chunk]);
      const sent = readAnswer(read);
      if (sent !== undefined) finish(sent);
    });
    socket.on('end', () => finish({ kind: 'none', reason: 'closed without an answer' }));
    socket.write(bytes);
  });
}

/** Undefined until it is all there. */
function readAnswer(read: Buffer): Sent | undefined {
  const end = read.indexOf(HEAD_END);
  if (end === -1) return undefined;
  const [statusLine = '', ...lines] = read.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? 0);
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const body = read.subarray(end + HEAD_END.length);
  const length = Number(headers['content-length'] ?? 0);
  if (body.length < length) return undefined;
  return { kind: 'answer', answer: { status, headers, body: body.subarray(0, length) } };
}
