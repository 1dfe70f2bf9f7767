/** Two regions over Azurite and the broker emulator, each of which can be killed and comes back. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '@tandem/region';
import { createEmulator } from '@tandem/servicebus-emulator';
import { createCertificate } from '@tandem/servicebus-emulator/testing';
import { seedConfiguration, tandemSettings } from '@tandem/storage';
import { startAzurite } from '@tandem/storage/testing';
import { type LineProcess, startLineProcess } from './child.ts';

/** The account that every emulator of storage publishes; it protects nothing. */
export const ACCOUNT = {
  account: 'devstoreaccount1',
  keys: [
    'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
  ],
} as const;
const BUCKET_COUNT = 4;
/** The first whose change sets are of several rows. */
const WIRE_VERSION = 4;

/** What the process of a region is told. */
export interface RegionToServe {
  readonly region: string;
  readonly storageConnection: string;
  readonly administrationConnection: string;
  readonly tls: { readonly key: string; readonly cert: string };
  readonly port: number;
}

export interface ServedRegion {
  readonly region: string;
  /** What a client is given, and all that it is given. */
  readonly connection: string;
  /** Beside the door that ends TLS. */
  plainPort(): number;
  /** Returns what its process wrote last for people. */
  said(): string;
  /** Ends its process by SIGKILL; its account and its namespace are gone with it. */
  kill(): Promise<void>;
  /** Brings it back with what its account and its namespace had. */
  start(): Promise<void>;
}

export interface TwoRegions {
  readonly east: ServedRegion;
  readonly west: ServedRegion;
  /** A file with the certificate that clients have to trust. */
  readonly certificate: string;
  stop(): Promise<void>;
}

export async function startTwoRegions(): Promise<TwoRegions> {
  const folder = await mkdtemp(join(tmpdir(), 'table-clients-'));
  const tls = await createCertificate();
  const certificate = join(folder, 'certificate.pem');
  await writeFile(certificate, tls.cert);
  const places = await Promise.all(
    ['east', 'west'].map((region) => startPlace(join(folder, region), region)),
  );
  const [one, other] = places as [Place, Place];
  await Promise.all([introduce(one, other), introduce(other, one)]);
  const [east, west] = await Promise.all([createRegion(one, tls), createRegion(other, tls)]);
  await Promise.all([east.serve(), west.serve()]);
  return {
    east,
    west,
    certificate,
    async stop() {
      await Promise.all([east.kill(), west.kill()]);
      await rm(folder, { recursive: true });
    },
  };
}

type Place = Awaited<ReturnType<typeof startPlace>>;

/** Starts the account and the namespace of a region, on disk. */
async function startPlace(folder: string, region: string) {
  const at = { storage: join(folder, 'storage'), broker: join(folder, 'broker') };
  let azurite = await startAzurite({ location: at.storage });
  let emulator = await createEmulator({ location: at.broker });
  const { connectionString: storageConnection, port } = azurite;
  const { connectionString: busConnection, adminConnectionString, amqpPort, adminPort } = emulator;
  return {
    region,
    storageConnection,
    busConnection,
    administrationConnection: adminConnectionString,
    async start() {
      azurite = await startAzurite({ location: at.storage, port });
      emulator = await createEmulator({ location: at.broker, amqpPort, adminPort });
    },
    async stop() {
      await Promise.all([azurite.stop(), emulator.close()]);
    },
  };
}

async function introduce(own: Place, peer: Place): Promise<void> {
  await seedConfiguration({
    store: openStore(own.storageConnection),
    definitions: tandemSettings,
    values: {
      ServiceBusConnection: own.busConnection,
      RedundancyServiceBusConnection: peer.busConnection,
      'Peer.Region': peer.region,
      'Rows.BucketCount': String(BUCKET_COUNT),
      'Messages.WireVersion': String(WIRE_VERSION),
    },
  });
}

async function createRegion(
  place: Place,
  tls: RegionToServe['tls'],
): Promise<ServedRegion & { serve(): Promise<void> }> {
  const { region, storageConnection, administrationConnection } = place;
  const port = await findFreePort();
  const { account, keys } = ACCOUNT;
  let served: { readonly child: LineProcess; readonly plainPort: number } | undefined;
  const serve = async (): Promise<void> => {
    const told: RegionToServe = {
      region,
      storageConnection,
      administrationConnection,
      tls,
      port,
    };
    const file = join(import.meta.dirname, 'serve-region.ts');
    const child = startLineProcess(file, [], { REGION: JSON.stringify(told) });
    served = { child, ...((await child.next()) as { plainPort: number }) };
  };
  return {
    region,
    connection:
      `DefaultEndpointsProtocol=https;AccountName=${account};AccountKey=${keys[0]};` +
      `TableEndpoint=https://127.0.0.1:${port}/${account}`,
    plainPort: () => served?.plainPort ?? 0,
    said: () => served?.child.said() ?? '',
    serve,
    async start() {
      await place.start();
      await serve();
    },
    async kill() {
      await served?.child.kill();
      // An Azurite that is killed would lose what it has answered, which the service never does.
      await place.stop();
    },
  };
}

/** Taken again by a region that comes back. */
function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
