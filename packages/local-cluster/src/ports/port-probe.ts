import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { PortUse } from './port-plan.ts';

export const LOOPBACK = '127.0.0.1';

const BUSY = new Set(['EADDRINUSE', 'EACCES']);

/** A server that holds the port until it is closed; undefined when someone else has it. */
export async function holdPort(port: number): Promise<Server | undefined> {
  const server = createServer().listen({ port, host: LOOPBACK, exclusive: true });
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if (error instanceof Error && 'code' in error && BUSY.has(String(error.code))) return undefined;
    throw error;
  }
}

export async function releasePort(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

/** Those that someone has already, in the order given. */
export async function findTakenPorts(uses: readonly PortUse[]): Promise<readonly PortUse[]> {
  const taken: PortUse[] = [];
  for (const use of uses) {
    const server = await holdPort(use.port);
    if (server === undefined) taken.push(use);
    else await releasePort(server);
  }
  return taken;
}
