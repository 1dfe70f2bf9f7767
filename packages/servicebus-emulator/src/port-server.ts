import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

/** Is a certificate with its key, both PEM. */
export interface TlsIdentity {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface PortServer {
  readonly server: Server;
  /** Cuts every connection, also those whose protocol is not known yet. */
  readonly destroyConnections: () => void;
}

/** The first byte of a TLS handshake. AMQP begins with an A, HTTP with the letter of a method. */
const TLS_HANDSHAKE = 0x16;
/** As many as the service allows in a namespace. */
const CONNECTIONS_MAX = 5_000;
/** A client that says nothing at all is given up. */
const FIRST_BYTE_MS_MAX = 30_000;

/**
 * Listens for connections and hands each over when it may be read. With an identity one port takes
 * TLS as well as plain connections, told apart by their first byte.
 */
export function createPortServer(
  identity: TlsIdentity | undefined,
  accept: (socket: Socket) => void,
): PortServer {
  const sockets = new Set<Socket>();
  const secure = identity === undefined ? undefined : createTlsServer(identity, accept);
  // A failed handshake has ended its own connection already.
  secure?.on('tlsClientError', () => undefined);
  const route = (socket: Socket, first: Buffer): void => {
    socket.pause();
    socket.unshift(first);
    if (first[0] === TLS_HANDSHAKE) secure?.emit('connection', socket);
    else {
      accept(socket);
      socket.resume();
    }
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (secure === undefined) {
      accept(socket);
      return;
    }
    socket.on('error', () => undefined);
    const timer = setTimeout(() => socket.destroy(), FIRST_BYTE_MS_MAX);
    socket.once('close', () => clearTimeout(timer));
    socket.once('data', (first: Buffer) => {
      clearTimeout(timer);
      route(socket, first);
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  return {
    server,
    destroyConnections() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
