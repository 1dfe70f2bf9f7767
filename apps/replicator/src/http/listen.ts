import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';

export type ListenOutcome =
  | { readonly kind: 'listening'; readonly port: number }
  /** A sentence that names the address and the settings to change. */
  | { readonly kind: 'refused'; readonly reason: string };

const REFUSALS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is already in use: set PORT to a free one',
  EADDRNOTAVAIL: 'is no address of this machine: set HOST to one',
  ENOTFOUND: 'is no address of this machine: set HOST to one',
  EACCES: 'may not be used by this process: set PORT to one above 1023',
};

/** What the operating system refuses is an outcome; anything else is thrown. */
export async function listen(
  app: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<ListenOutcome> {
  try {
    await app.listen({ host, port });
    const address = app.server.address() as AddressInfo;
    return { kind: 'listening', port: address.port };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const refusal = REFUSALS[code];
    if (refusal === undefined) throw error;
    await app.close();
    return { kind: 'refused', reason: `Port ${port} on ${host} ${refusal}.` };
  }
}
