import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import rhea, { type Connection, type ConnectionOptions } from 'rhea';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { findPageFault } from '../faults.ts';
import type { Tenant } from '../namespace.ts';
import { createPortServer, type TlsIdentity } from '../port-server.ts';
import { CHANNEL_MAX } from './bound-links.ts';
import { enableSasl } from './claims-node.ts';
import {
  acknowledgeReads,
  boundFrames,
  coalesceWrites,
  forgetConnection,
} from './rhea-internals.ts';
import { type ServedConnection, type ServeOptions, serveConnection } from './serve-connection.ts';

export interface AmqpServerOptions extends ServeOptions {
  readonly host: string;
  readonly tls: TlsIdentity | undefined;
  /** 0 takes a free port. */
  readonly port: number;
}

export interface AmqpServer {
  readonly port: number;
  /** Serves a connection that came another way, as a WebSocket does. */
  readonly accept: (stream: Duplex) => void;
  /** Cuts every connection without a word, as a broken network does. */
  readonly dropConnections: () => void;
  /** Detaches every link to a queue of the tenant. */
  readonly dropLinks: (tenant: Tenant, queueName: string) => void;
  close(): Promise<void>;
}

/** A client that sends nothing for twice this long is taken for dead. */
const IDLE_TIMEOUT_MS = 120_000;
/** How many deliveries of one session may be unsettled. */
const UNSETTLED_MAX = { incoming: 2_048, outgoing: 65_536 };
const CLOSE_GRACE_MS = 500;
const OPEN_MS_MAX = 60_000;
/** As the service announces. */
const FRAME_BYTES_ANNOUNCED = 64 * 1024;

const CONNECTION_OPTIONS = {
  idle_time_out: IDLE_TIMEOUT_MS,
  max_frame_size: FRAME_BYTES_ANNOUNCED,
  channel_max: CHANNEL_MAX,
  session_buffer_size: UNSETTLED_MAX,
  tcp_no_delay: true,
  receiver_options: { autoaccept: false, autosettle: false, credit_window: 0 },
  sender_options: { autosettle: false, treat_modified_as_released: false },
} as const;

/** Cuts a connection that does not get as far as its open performative, so that it holds nothing. */
function giveUpUnlessOpened(connection: Connection, socket: Duplex): void {
  const timer = setTimeout(() => socket.destroy(), OPEN_MS_MAX);
  connection.once('connection_open', () => clearTimeout(timer));
  socket.once('close', () => clearTimeout(timer));
}

/** rhea ends its side only after an error: the client may leave its own open, and go on sending. */
function cutAfterErrors(connection: Connection, socket: Duplex): void {
  for (const name of ['protocol_error', 'error']) {
    connection.on(name, () => {
      socket.removeAllListeners('data');
      socket.resume();
      setTimeout(() => socket.destroy(), CLOSE_GRACE_MS);
    });
  }
}

/** Listens for AMQP connections. Rejects with the error of the socket when the port is taken. */
export async function startAmqpServer(options: AmqpServerOptions): Promise<AmqpServer> {
  const container = rhea.create_container({ id: 'servicebus-emulator' });
  enableSasl(container, options.accessRules);
  container.on('error', options.onFailure);
  const open = new Map<Duplex, { connection: Connection; served: ServedConnection }>();

  const accept = (socket: Duplex): void => {
    const settings = CONNECTION_OPTIONS as unknown as ConnectionOptions;
    const connection = container.create_connection(settings);
    const served = serveConnection(connection, options);
    open.set(socket, { connection, served });
    giveUpUnlessOpened(connection, socket);
    cutAfterErrors(connection, socket);
    socket.once('close', () => {
      open.delete(socket);
      served.stop();
      forgetConnection(connection);
    });
    (connection as unknown as { accept(socket: Duplex): void }).accept(socket);
    boundFrames(connection);
    coalesceWrites(connection);
    acknowledgeReads(connection, socket);
  };
  const { server, destroyConnections } = createPortServer(options.tls, accept);
  const dropConnections = (): void => {
    for (const socket of open.keys()) socket.destroy();
    destroyConnections();
  };
  server.listen(options.port, options.host);
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    accept,
    dropConnections,
    dropLinks(tenant, queueName) {
      for (const { served } of open.values()) served.dropLinks(tenant, queueName);
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const { connection } of open.values()) {
        connection.close({
          condition: 'amqp:connection:forced',
          description: 'The emulator is shutting down.',
        });
      }
      const timer = setTimeout(dropConnections, CLOSE_GRACE_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

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
