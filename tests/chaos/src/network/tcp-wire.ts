import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type WireMode =
  | { readonly kind: 'open' }
  /** Connections are reset, and new ones at once. */
  | { readonly kind: 'cut' }
  /** Nothing moves, and nothing is lost: what waited arrives when the wire is open again. */
  | { readonly kind: 'stalled'; readonly what: 'both' | 'requests' | 'answers' }
  | { readonly kind: 'throttled'; readonly bytesPerSecond: number };

/** A TCP proxy between two processes. Listens on loopback, on a free port. */
export interface TcpWire {
  readonly name: string;
  readonly port: number;
  set(mode: WireMode): void;
  /** Resets every connection; what waited in them is lost. */
  reset(): void;
  close(): Promise<void>;
}

interface Flow {
  adjust(mode: WireMode): void;
}

const HOST = '127.0.0.1';

export async function startTcpWire(name: string, targetPort: number): Promise<TcpWire> {
  const sockets = new Set<Socket>();
  const flows = new Map<Socket, Flow>();
  let mode: WireMode = { kind: 'open' };

  const track = (socket: Socket, other: Socket): void => {
    sockets.add(socket);
    // A reset is as good an end as any; 'close' follows.
    socket.on('error', () => other.resetAndDestroy());
    socket.once('close', () => {
      sockets.delete(socket);
      flows.delete(socket);
      other.destroy();
    });
  };
  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (mode.kind === 'cut') {
      client.on('error', () => client.destroy());
      client.resetAndDestroy();
      return;
    }
    const target = connect({ port: targetPort, host: HOST, allowHalfOpen: true });
    track(client, target);
    track(target, client);
    flows.set(
      client,
      createFlow(client, target, 'requests', () => mode),
    );
    flows.set(
      target,
      createFlow(target, client, 'answers', () => mode),
    );
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return {
    name,
    port: (server.address() as AddressInfo).port,
    set(next) {
      mode = next;
      if (mode.kind === 'cut') return reset();
      for (const flow of flows.values()) flow.adjust(mode);
    },
    reset,
    async close() {
      reset();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Passes on what `from` sends, as the mode of the moment allows. */
function createFlow(
  from: Socket,
  to: Socket,
  direction: 'requests' | 'answers',
  modeNow: () => WireMode,
): Flow {
  let isWaiting = false;
  const adjust = (mode: WireMode): void => {
    const isStalled = mode.kind === 'stalled' && (mode.what === 'both' || mode.what === direction);
    if (isStalled || isWaiting) from.pause();
    else from.resume();
  };
  const goOn = (): void => {
    isWaiting = false;
    adjust(modeNow());
  };
  from.on('data', (chunk: Buffer) => {
    const isFull = !to.write(chunk);
    const mode = modeNow();
    if (mode.kind === 'throttled') {
      isWaiting = true;
      setTimeout(goOn, (chunk.length * 1_000) / mode.bytesPerSecond).unref();
    } else if (isFull) {
      isWaiting = true;
      to.once('drain', goOn);
    }
    adjust(mode);
  });
  from.on('end', () => to.end());
  adjust(modeNow());
  return { adjust };
}
