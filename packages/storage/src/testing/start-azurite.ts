/**
 * Azurite's table service as a child process, for tests and the local regions.
 *
 * What it keeps, as measured with Azurite 3.37 (it is LokiJS: one JSON file, written whole to a second
 * file and renamed, so the file is never torn):
 * - without `location` everything is in memory and gone when it stops;
 * - with `location` the file is written every 5 s when something changed, and once more when it is
 *   stopped with SIGINT, which is what `stop()` does (40 ms; 110 ms under load, with none of 826
 *   answered writes missing afterwards; requests then under way get no answer);
 * - SIGTERM has no handler, so like SIGKILL it loses what was written since the last save: 50 rows
 *   and their new table were gone. An acknowledged write is then lost, which the real service never
 *   does: to show a region failing, stop it, but do not kill it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import type { Readable } from 'node:stream';

const require = createRequire(import.meta.url);

const HOST = '127.0.0.1';
const ACCOUNT = 'devstoreaccount1';
/** The key that Azurite and every storage emulator before it publish; it protects nothing. */
const ACCOUNT_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
const STARTED = 'successfully started';
/**
 * Azurite 3.37 decodes each piece of a request by itself, so a character that the network happens to cut in
 * two becomes two others. With an encoding Node decodes whole characters; batches are joined as bytes.
 */
const DECODE_WHOLE_CHARACTERS = `
  import { Server } from 'node:http';
  const { emit } = Server.prototype;
  Server.prototype.emit = function (event, ...rest) {
    if (event === 'request' && !rest[0].url.includes('$batch')) rest[0].setEncoding('utf8');
    return emit.call(this, event, ...rest);
  };
`;
const START_MS_MAX = 90_000;
const START_ATTEMPTS_MAX = 3;
const STOP_MS_MAX = 60_000;
const OUTPUT_LENGTH_MAX = 4_000;

export interface AzuriteOptions {
  /** A folder to keep the tables in; without one they are in memory. */
  readonly location?: string;
  /** A free port by default. */
  readonly port?: number;
  /** Another program that takes its options and says in its words that it has started. */
  readonly main?: string | undefined;
}

export interface Azurite {
  readonly connectionString: string;
  readonly port: number;
  /** Resolves when everything is on disk and the process has ended. Idempotent. */
  stop(): Promise<void>;
}

export async function startAzurite(options: AzuriteOptions = {}): Promise<Azurite> {
  const { port } = options;
  if (port !== undefined) return startOn(port, options);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(await findFreePort(), options);
    } catch (error) {
      // Between finding the port and taking it someone else may have.
      const isTaken = error instanceof Error && error.message.includes('EADDRINUSE');
      if (!isTaken || attempt >= START_ATTEMPTS_MAX) throw error;
    }
  }
}

async function startOn(port: number, options: AzuriteOptions): Promise<Azurite> {
  const child = spawn(process.execPath, azuriteArguments(port, options), {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killChild = () => void child.kill('SIGKILL');
  process.once('exit', killChild);
  child.once('exit', () => process.off('exit', killChild));
  await untilStarted(child);
  let stopped: Promise<void> | undefined;
  return {
    port,
    connectionString: azuriteConnectionString(port),
    stop: () => (stopped ??= stopChild(child)),
  };
}

export function azuriteConnectionString(port: number): string {
  return [
    'DefaultEndpointsProtocol=http',
    `AccountName=${ACCOUNT}`,
    `AccountKey=${ACCOUNT_KEY}`,
    `TableEndpoint=http://${HOST}:${port}/${ACCOUNT}`,
  ].join(';');
}

function azuriteArguments(port: number, { location, main: given }: AzuriteOptions): string[] {
  const main = given ?? require.resolve('azurite/dist/src/table/main.js');
  const network = ['--tableHost', HOST, '--tablePort', String(port)];
  const persistence = location === undefined ? ['--inMemoryPersistence'] : ['--location', location];
  const quiet = ['--silent', '--skipApiVersionCheck', '--disableTelemetry'];
  const mended = [
    '--import',
    `data:text/javascript,${encodeURIComponent(DECODE_WHOLE_CHARACTERS)}`,
  ];
  // It would give the text of a body where the program asks for its bytes.
  return [...(given === undefined ? mended : []), main, ...network, ...persistence, ...quiet];
}

/** Azurite does not say which port it got when it is asked for port 0. */
async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('There is no free port.');
  return address.port;
}

async function untilStarted(child: ChildProcess): Promise<void> {
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const fail = (what: string) => {
      child.kill('SIGKILL');
      reject(new Error(`Azurite ${what}: ${output.trim() || 'it printed nothing'}`));
    };
    const timer = setTimeout(() => fail(`was not ready in ${START_MS_MAX} ms`), START_MS_MAX);
    const read = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_LENGTH_MAX);
      if (!output.includes(STARTED)) return;
      clearTimeout(timer);
      resolve();
    };
    for (const stream of [child.stdout, child.stderr] as Readable[]) stream.on('data', read);
    child.once('error', (error) => fail(`could not be started (${error.message})`));
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      fail(`ended with ${signal ?? code}`);
    });
  });
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  child.kill('SIGINT');
  await ended;
  clearTimeout(timer);
  if (child.signalCode === 'SIGKILL') {
    throw new Error(
      `Azurite did not stop in ${STOP_MS_MAX} ms and was killed; its data may be lost.`,
    );
  }
}
