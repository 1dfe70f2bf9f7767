import type { FastifyInstance } from 'fastify';

const IDLE_CHECK_MS = 50;

/**
 * Stops accepting, lets the requests under way finish and closes idle connections as they become
 * so. What is still open after `deadlineMs` is cut. Resolves to whether that was needed.
 */
export async function stopWithin(app: FastifyInstance, deadlineMs: number): Promise<boolean> {
  let isCut = false;
  const idle = setInterval(() => app.server.closeIdleConnections(), IDLE_CHECK_MS);
  const cut = setTimeout(() => {
    isCut = true;
    app.server.closeAllConnections();
  }, deadlineMs);
  await app.close();
  clearInterval(idle);
  clearTimeout(cut);
  return isCut;
}
