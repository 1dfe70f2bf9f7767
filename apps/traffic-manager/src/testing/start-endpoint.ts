import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export const HEALTH_PATH = '/health/ready';

/** A real HTTP server in the place of one region's API. */
export interface TestEndpoint {
  readonly name: string;
  readonly url: string;
  /** The requests that were not probes. */
  readonly requests: IncomingMessage[];
  /** How many probes came in. */
  probeCount(): number;
  /** What probes are answered with from now on; `silent` never answers. */
  setHealth(health: number | 'silent'): void;
  /** Cuts all connections and accepts none until `listen`. */
  kill(): Promise<void>;
  /** Listens on the same port again. */
  listen(): Promise<void>;
}

/** Starts one on a free port; it ends with the test. The answer is by default its own name. */
export async function startEndpoint(
  name: string,
  handle: RequestListener = (_request, response) => response.end(name),
): Promise<TestEndpoint> {
  let health: number | 'silent' = 200;
  let probes = 0;
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    if (request.url !== HEALTH_PATH) {
      requests.push(request);
      handle(request, response);
      return;
    }
    probes += 1;
    if (health === 'silent') return;
    // A redirect leads to an address that would be healthy.
    response.writeHead(health, { location: '/' }).end('{}');
  });
  const listenOn = async (port: number): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
    await promise;
  };
  await listenOn(0);
  const { port } = server.address() as AddressInfo;
  const kill = async (): Promise<void> => {
    if (!server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    server.closeAllConnections();
    await promise;
  };
  onTestFinished(kill);
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    requests,
    probeCount: () => probes,
    setHealth: (next) => {
      health = next;
    },
    kill,
    listen: () => listenOn(port),
  };
}
