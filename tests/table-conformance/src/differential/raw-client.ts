import { createHmac } from 'node:crypto';
import { Agent, request as sendRequest } from 'node:http';

/** A request as it stands on the wire, beneath the address of the account. */
export interface RawRequest {
  readonly method: string;
  /** Begins with a slash; percent-encoded, with its query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface RawAnswer {
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Server {
  readonly port: number;
  readonly account: string;
  /** In base64. */
  readonly key: string;
}

const TIMEOUT_MS = 30_000;

/** Sends requests of the Table service as they are, signed and otherwise untouched. */
export class RawClient {
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(server: Server) {
    this.#server = server;
  }

  /** Address of the service, as its answers name it. */
  get base(): string {
    return `http://127.0.0.1:${this.#server.port}/${this.#server.account}`;
  }

  close(): void {
    this.#agent.destroy();
  }

  send({ method, target, headers, body }: RawRequest): Promise<RawAnswer> {
    const { port, account, key } = this.#server;
    const path = `/${account}${target}`;
    const date = new Date().toUTCString();
    const [resource = ''] = path.split('?');
    const signature = createHmac('sha256', Buffer.from(key, 'base64'))
      .update(`${date}\n/${account}${resource}`, 'utf8')
      .digest('base64');
    const length = Buffer.byteLength(body);
    const all = {
      ...headers,
      'x-ms-date': date,
      'x-ms-version': '2019-02-02',
      authorization: `SharedKeyLite ${account}:${signature}`,
      ...(length > 0 || method !== 'GET' ? { 'content-length': String(length) } : {}),
    };
    return new Promise((resolve, reject) => {
      const sent = sendRequest(
        {
          host: '127.0.0.1',
          port,
          method,
          path,
          headers: all,
          agent: this.#agent,
          timeout: TIMEOUT_MS,
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', reject);
          answer.on('end', () => {
            const headers = answer.headers as Record<string, string>;
            resolve({
              status: answer.statusCode ?? 0,
              headers,
              body: Buffer.concat(chunks).toString('utf8'),
            });
          });
        },
      );
      sent.on('timeout', () => sent.destroy(new Error(`No answer within ${TIMEOUT_MS} ms.`)));
      sent.on('error', reject);
      sent.end(body);
    });
  }
}
