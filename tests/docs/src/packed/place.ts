import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createEmulator, type Emulator } from '@tandem/servicebus-emulator';
import { type Azurite, startAzurite } from '@tandem/storage/testing';

/** Where one region of an example lives. */
export interface Place {
  readonly azurite: Azurite;
  readonly emulator: Emulator;
  readonly port: number;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function createPlace(): Promise<Place> {
  return {
    azurite: await startAzurite(),
    emulator: await createEmulator(),
    port: await freePort(),
  };
}

export async function stopPlace({ azurite, emulator }: Place): Promise<void> {
  await Promise.all([azurite.stop(), emulator.close()]);
}
