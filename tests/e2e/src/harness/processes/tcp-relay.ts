import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A wire between two regions that can be cut. Listens on loopback, on a port of its own. */
export interface TcpRelay {
  readonly port: number;
  /** What is under way is swallowed and new connections are never answered, as behind a dead router. */
  cut(): void;
  /** Connections of before the cut are reset; new ones get through. */
  heal(): void;
  close(): Promise<void>;
}

export async function startTcpRelay(targetPort: number): Promise<TcpRelay> {
  const sockets = new Set<Socket>();
  let isCut = false;

  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // A reset is as good an end as any; 'close' follows.
    socket.on('error', () => socket.destroy());
  };
  const destroyAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const join = (from: Socket, to: Socket): void => {
    from.on('data', (chunk: Buffer) => {
      if (!isCut) to.write(chunk);
    });
    from.once('close', () => {
      if (!isCut) to.destroy();
    });
  };

  const server = createServer((client) => {
    track(client);
    if (isCut) return;
    const target = connect(targetPort, '127.0.0.1');
    track(target);
    join(client, target);
    join(target, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      isCut = true;
    },
    heal: () => {
      isCut = false;
      destroyAll();
    },
    async close() {
      destroyAll();
      server.close();
      await once(server, 'close');
    },
  };
}
