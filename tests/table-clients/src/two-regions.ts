/** Two regions as the processes that ship, each behind something that ends TLS; each can be killed and comes back. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { type Region, startCluster } from '@tandem/local-cluster';
import { createCertificate } from '@tandem/servicebus-emulator/testing';

/** The account that every emulator of storage publishes, which a local cluster serves; it protects nothing. */
export const ACCOUNT = {
  account: 'devstoreaccount1',
  keys: [
    'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
  ],
} as const;
const BUCKET_COUNT = '4';
const SAID_LENGTH_MAX = 8_000;

export interface ServedRegion {
  readonly region: string;
  /** What a client is given, and all that it is given. */
  readonly connection: string;
  /** Beside the door that ends TLS. */
  plainPort(): number;
  /** Returns what its endpoint wrote last for people. */
  said(): string;
  /** Ends its processes by SIGKILL; its account and its namespace are gone with them. */
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
  const behindTls = { BEHIND_TLS: 'true' };
  const cluster = await startCluster({
    regions: ['east', 'west'],
    settings: { 'Rows.BucketCount': BUCKET_COUNT },
    environment: { 'Table endpoint of east': behindTls, 'Table endpoint of west': behindTls },
  });
  const doors = await Promise.all(cluster.regions.map((region) => openDoor(region, tls)));
  const serve = (name: string): ServedRegion => {
    const region = cluster.region(name);
    const { port } = doors[cluster.regions.indexOf(region)]!;
    return serveRegion(region, { port, logFolder: cluster.logFolder });
  };
  return {
    east: serve('east'),
    west: serve('west'),
    certificate,
    async stop() {
      for (const { close } of doors) close();
      await cluster.stop();
      await rm(folder, { recursive: true });
    },
  };
}

interface Door {
  readonly port: number;
  close(): void;
}

/** Opens what ends TLS before the endpoint of a region. */
async function openDoor(region: Region, tls: { key: string; cert: string }): Promise<Door> {
  const server = createServer(tls, (socket) => {
    const inner = connect(portIn(region), '127.0.0.1');
    socket.on('error', () => inner.destroy());
    inner.on('error', () => socket.destroy());
    inner.once('close', () => socket.destroy());
    socket.pipe(inner).pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, close: () => void server.close() };
}

function portIn({ addresses }: Region): number {
  return Number(/TableEndpoint=http:\/\/127\.0\.0\.1:(\d+)/.exec(addresses.tableEndpoint)?.[1]);
}

function serveRegion(
  region: Region,
  { port, logFolder }: { readonly port: number; readonly logFolder: string },
): ServedRegion {
  const { account, keys } = ACCOUNT;
  return {
    region: region.name,
    connection:
      `DefaultEndpointsProtocol=https;AccountName=${account};AccountKey=${keys[0]};` +
      `TableEndpoint=https://127.0.0.1:${port}/${account}`,
    plainPort: () => portIn(region),
    said: () =>
      readFileSync(join(logFolder, `${region.name}-table-endpoint.log`), 'utf8').slice(
        -SAID_LENGTH_MAX,
      ),
    kill: () => region.kill(),
    async start() {
      await region.start();
      await region.untilReady();
    },
  };
}
