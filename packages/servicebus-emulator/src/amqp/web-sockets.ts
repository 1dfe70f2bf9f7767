import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { findPageFault } from '../faults.ts';

/** AMQP over WebSockets, on the port of administration, where the service has it too. */

/** Clients on the C library put a slash behind it. */
const PATH = /^\/\$servicebus\/websocket\/?$/i;
const PROTOCOL = 'AMQPWSB10';
/** Above the largest frame that a peer may announce. */
const MESSAGE_BYTES_MAX = 1024 * 1024;

export interface WebSockets {
  /** Takes over a request that asks for an upgrade. */
  upgrade(message: IncomingMessage, socket: Duplex, head: Buffer): void;
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

/**
 * Hands each connection that was upgraded over as a stream of AMQP. `allowedHosts` undefined: any name will do,
 * for tokens are verified.
 */
export function createWebSockets(
  accept: (stream: Duplex) => void,
  allowedHosts: readonly string[] | undefined,
): WebSockets {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    handleProtocols: () => PROTOCOL,
  });
  return {
    upgrade(message, socket, head) {
      socket.on('error', () => undefined);
      const asked = message.headers['sec-websocket-protocol'] ?? '';
      const protocols = asked.split(',').map((name) => name.trim());
      const [path = ''] = (message.url ?? '').split('?');
      if (findPageFault(message, allowedHosts) !== undefined) refuse(socket, '403 Forbidden');
      else if (!PATH.test(path)) refuse(socket, '404 Not Found');
      else if (!protocols.includes(PROTOCOL)) refuse(socket, '400 Bad Request');
      else {
        server.handleUpgrade(message, socket, head, (webSocket) => {
          const stream = createWebSocketStream(webSocket);
          stream.on('error', () => undefined);
          accept(stream);
        });
      }
    },
  };
}
