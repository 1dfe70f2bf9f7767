import type { MemoryBus } from '@tandem/core/memory';
import type { Bus, BusQueue } from '../connections.ts';

/** Makes of a bus in memory what a region is opened with. Queues of different namespaces are different queues. */
export function memoryBusOf(bus: MemoryBus): Bus {
  const nameOf = ({ connection, queue }: BusQueue): string => `${connection}/${queue}`;
  return {
    createPublisher: (peer) => bus.publisherFor(peer.region, nameOf(peer)),
    createReceiver: (own) => bus.receiverFor(nameOf(own)),
    ensureQueue: async () => undefined,
  };
}
