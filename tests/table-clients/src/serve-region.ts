// One region in a process of its own: the endpoint of its tables and its replicator. REGION says what it is, in JSON;
// it writes one line when it serves, with the port of its endpoint.
import { connect } from 'node:net';
import { createServer } from 'node:tls';
import { openRegion } from '@tandem/region';
import { createLogger } from '@tandem/service-kit';
import { createApp, createEndpoint, createRegionServedTables } from '@tandem/table-endpoint';
import { ACCOUNT, type RegionToServe } from './two-regions.ts';

const served = JSON.parse(process.env['REGION'] ?? '') as RegionToServe;
const { region, storageConnection, administrationConnection, tls, port } = served;
const logger = createLogger({ service: 'table-endpoint', region, level: 'fatal' });
const opened = await openRegion({
  region,
  store: storageConnection,
  tables: {},
  replicate: true,
  administrationConnection,
  logger,
});
const endpoint = createEndpoint({
  tables: createRegionServedTables(opened),
  accounts: [ACCOUNT],
  styleOf: () => ({}),
  nowMs: Date.now,
  newRequestId: () => crypto.randomUUID(),
  onFailure: (error) => process.stderr.write(`${String(error)}\n`),
});
const app = createApp({ endpoint, logger, isHttps: true });
const plain = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
// What ends TLS before the endpoints of a region.
const door = createServer(tls, (socket) => {
  const inner = connect(Number(plain.port), plain.hostname);
  socket.on('error', () => inner.destroy());
  inner.on('error', () => socket.destroy());
  socket.pipe(inner).pipe(socket);
});
door.listen(port, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ plainPort: Number(plain.port) })}\n`);
});
