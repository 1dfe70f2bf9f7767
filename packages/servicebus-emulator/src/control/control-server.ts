import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  FAULTY_OPERATIONS,
  type FaultyOperation,
  findPageFault,
  type NextFailure,
  readTarget,
} from '../faults.ts';
import type { Tenant } from '../namespace.ts';

/** Faults for tests, in one namespace. They throw when there is no such queue. */
export interface EmulatorControl {
  /** The queue delivers nothing and leaves sends unanswered until it is resumed. */
  pauseQueue(name: string): void;
  resumeQueue(name: string): void;
  /** Cuts every AMQP connection, of every namespace, without a word. Locks stay until they expire. */
  dropConnections(): void;
  /** Detaches every link to the queue with `amqp:link:detach-forced`; connections stay. */
  dropLinks(name: string): void;
  /** Refuses the next sends (each a message or a batch) with the AMQP condition. */
  failNext(name: string, count: number, condition: string): void;
  /** Does the same for any kind of operation. */
  fail(name: string, failure: NextFailure): void;
  /** Leaves settlements undone and unanswered until they are released; locks may expire meanwhile. */
  holdSettlements(name: string): void;
  releaseSettlements(name: string): void;
  /** Sends each of the next deliveries under a lock twice, both under the one lock. */
  duplicateNext(name: string, count: number): void;
}

/** There is no queue of that name. */
class QueueMissing extends Error {
  override readonly name = 'QueueMissing';
}

export interface ControlOptions {
  readonly tenant: Tenant;
  readonly dropConnections: () => void;
  readonly dropLinks: (tenant: Tenant, queueName: string) => void;
}

export function createControl(options: ControlOptions): EmulatorControl {
  const { namespace, faults } = options.tenant;
  const find = (name: string) => {
    const entity = namespace.find(name);
    if (entity === undefined) throw new QueueMissing(`The emulator has no queue '${name}'`);
    return entity.main;
  };
  return {
    pauseQueue(name) {
      const queue = find(name);
      faults.hold(queue.name, 'send');
      queue.setPaused(true);
    },
    resumeQueue(name) {
      const queue = find(name);
      faults.release(queue.name, 'send');
      queue.setPaused(false);
    },
    dropConnections: options.dropConnections,
    dropLinks: (name) => options.dropLinks(options.tenant, find(name).name),
    failNext(name, count, condition) {
      faults.failNext(find(name).name, { operation: 'send', count, condition });
    },
    fail: (name, failure) => faults.failNext(find(name).name, failure),
    holdSettlements: (name) => faults.hold(find(name).name, 'settle'),
    releaseSettlements: (name) => faults.release(find(name).name, 'settle'),
    duplicateNext: (name, count) => faults.duplicateNext(find(name).name, count),
  };
}

/**
 * The faults over HTTP, for tests in other processes and languages: `POST /queues/<name>/<action>`
 * with a JSON body, `POST /connections/drop`, and `?namespace=<name>` where there are several.
 * Answers 204, 4xx with a JSON problem, or 500 for a failure of its own. Whoever reaches it may do everything.
 */
export interface ControlServerOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** More names under which it may be asked. */
  readonly allowedHosts: readonly string[];
  /** The control of the namespace, or of the first one; undefined when there is no such namespace. */
  readonly find: (namespace: string | undefined) => EmulatorControl | undefined;
  readonly onFailure: (error: unknown) => void;
}

export interface ControlServer {
  readonly port: number;
  close(): Promise<void>;
}

type Body = Readonly<Record<string, unknown>>;
type Action = (control: EmulatorControl, queue: string, body: Body) => void;

interface Answer {
  readonly status: number;
  readonly problem?: string;
}

const BODY_BYTES_MAX = 64 * 1024;
const COUNT_MAX = 1_000_000;

/** The request is not what the action needs. */
class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

function readCount({ count = 1 }: Body): number {
  if (Number.isInteger(count) && Number(count) >= 0 && Number(count) <= COUNT_MAX) {
    return Number(count);
  }
  throw new BadRequest(`'count' must be a whole number from 0 to ${COUNT_MAX}`);
}

function readOperation({ operation = 'send' }: Body): FaultyOperation {
  const found = FAULTY_OPERATIONS.find((known) => known === operation);
  if (found !== undefined) return found;
  throw new BadRequest(`'operation' must be one of ${FAULTY_OPERATIONS.join(', ')}`);
}

function readCondition({ condition }: Body): string {
  if (typeof condition === 'string' && condition !== '') return condition;
  throw new BadRequest("'condition' must name an AMQP condition, such as amqp:internal-error");
}

const ACTIONS: ReadonlyMap<string, Action> = new Map(
  Object.entries<Action>({
    pause: (control, queue) => control.pauseQueue(queue),
    resume: (control, queue) => control.resumeQueue(queue),
    fail: (control, queue, body) =>
      control.fail(queue, {
        operation: readOperation(body),
        count: readCount(body),
        condition: readCondition(body),
      }),
    'hold-settlements': (control, queue) => control.holdSettlements(queue),
    'release-settlements': (control, queue) => control.releaseSettlements(queue),
    duplicate: (control, queue, body) => control.duplicateNext(queue, readCount(body)),
    'drop-links': (control, queue) => control.dropLinks(queue),
  }),
);

async function readBody(message: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new BadRequest(`The body exceeds ${BODY_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  if (bytes === 0) return {};
  try {
    // It takes a byte order mark away.
    const body: unknown = JSON.parse(new TextDecoder().decode(Buffer.concat(chunks)));
    if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Body;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new BadRequest('The body must be a JSON object');
}

async function respond(message: IncomingMessage, options: ControlServerOptions): Promise<Answer> {
  const fault = findPageFault(message, options.allowedHosts);
  if (fault !== undefined) return { status: 403, problem: fault };
  const target = readTarget(message);
  if (target === undefined) return { status: 400, problem: 'The address is malformed' };
  const { pathname, searchParams } = target;
  const control = options.find(searchParams.get('namespace') ?? undefined);
  if (control === undefined) return { status: 404, problem: 'There is no such namespace' };
  if (message.method !== 'POST') return { status: 405, problem: 'Faults are asked for by POST' };
  if (pathname === '/connections/drop') {
    control.dropConnections();
    return { status: 204 };
  }
  const [, queue, name] = /^\/queues\/(.+)\/([a-z-]+)$/.exec(pathname) ?? [];
  const action = name === undefined ? undefined : ACTIONS.get(name);
  if (queue === undefined || action === undefined) {
    return { status: 404, problem: `There is no action at '${pathname}'` };
  }
  try {
    action(control, decodeURIComponent(queue), await readBody(message));
    return { status: 204 };
  } catch (error) {
    if (error instanceof BadRequest || error instanceof URIError) {
      return { status: 400, problem: error.message };
    }
    if (error instanceof QueueMissing) return { status: 404, problem: error.message };
    throw error;
  }
}

function write(response: ServerResponse, { status, problem }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(problem === undefined ? undefined : JSON.stringify({ problem }));
}

/** Listens for faults. Rejects with the socket's error when the port is taken. */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const server = createServer((message, response) => {
    void respond(message, options).then(
      (answer) => write(response, answer),
      (error: unknown) => {
        // The client broke off in the middle of its request.
        if (message.destroyed && !message.complete) {
          response.destroy();
          return;
        }
        options.onFailure(error);
        write(response, { status: 500, problem: 'The emulator failed; its log tells why' });
      },
    );
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
