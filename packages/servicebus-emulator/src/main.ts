#!/usr/bin/env node
import './require-node.ts';
import { readFile } from 'node:fs/promises';
import { readQueueDescription } from './admin/queue-description.ts';
import {
  createEmulator,
  type Emulator,
  type EmulatorOptions,
  type NamespaceSeed,
  type QueueSeed,
} from './create-emulator.ts';
import type { TlsIdentity } from './port-server.ts';
import { type Flags, readFlags, USAGE } from './read-flags.ts';

type Declared = Required<Pick<EmulatorOptions, 'queues' | 'namespaces'>>;

function exitWith(problem: string): never {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}

/** One sentence for what goes wrong when a server starts. */
function explain(error: unknown, flags: Flags): string {
  const { code, port, path, message } = error as NodeJS.ErrnoException & { port?: number };
  if (port === undefined && path !== undefined) {
    return `The folder of --location cannot be used (${message}): choose one in which this user may write.`;
  }
  if (code === 'EADDRINUSE' || code === 'EACCES') {
    const flag =
      port === flags.amqpPort
        ? '--amqp-port'
        : port === flags.adminPort
          ? '--admin-port'
          : '--control-port';
    const why = code === 'EADDRINUSE' ? 'is taken' : 'may not be used by this user';
    return `Port ${port} on ${flags.host} ${why}: choose another with ${flag}.`;
  }
  return `The emulator could not start: ${message}`;
}

async function readText(flag: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    return exitWith(`The file of ${flag} cannot be read: ${(error as Error).message}`);
  }
}

async function readConfig(path: string | undefined): Promise<Declared> {
  if (path === undefined) return { queues: [], namespaces: [] };
  const result = readConfigFile(await readText('--config', path));
  return result.kind === 'read' ? result : exitWith(`${path}: ${result.problem}`);
}

async function readIdentity(files: Flags['tlsFiles']): Promise<{ tls?: TlsIdentity }> {
  if (files === undefined) return {};
  const cert = await readText('--tls-cert', files.cert);
  return { tls: { cert, key: await readText('--tls-key', files.key) } };
}

async function start(flags: Flags): Promise<Emulator> {
  const { location, config, queues, namespaces, controlPort, tlsFiles, ...rest } = flags;
  const declared = await readConfig(config);
  const identity = await readIdentity(tlsFiles);
  try {
    return await createEmulator({
      ...rest,
      ...identity,
      queues: [...queues, ...declared.queues],
      namespaces: [...namespaces.map((name) => ({ name })), ...declared.namespaces],
      ...(controlPort === undefined ? {} : { controlPort }),
      ...(location === undefined ? {} : { location }),
      onFailure: (error) => process.stderr.write(`${String(error)}\n`),
    });
  } catch (error) {
    return exitWith(explain(error, flags));
  }
}

async function main(): Promise<void> {
  const result = readFlags(process.argv.slice(2));
  if (result.kind === 'help') {
    process.stdout.write(USAGE);
    return;
  }
  if (result.kind === 'invalid') exitWith(`${result.problem}\n\n${USAGE}`);
  const emulator = await start(result.flags);
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void emulator.close();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  const { amqpPort, adminPort, controlPort, connectionString, adminConnectionString } = emulator;
  const facts = { amqpPort, adminPort, controlPort, connectionString, adminConnectionString };
  process.stdout.write(`${JSON.stringify({ event: 'ready', ...facts })}\n`);
}

type ConfigResult =
  /** The first namespace has the queues; the others are named. */
  | {
      readonly kind: 'read';
      readonly queues: readonly QueueSeed[];
      readonly namespaces: readonly NamespaceSeed[];
    }
  | { readonly kind: 'invalid'; readonly problem: string };

type Json = Readonly<Record<string, unknown>>;

const invalid = (problem: string): ConfigResult => ({ kind: 'invalid', problem });

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(map: Json, name: string): readonly unknown[] {
  const value = map[name];
  return Array.isArray(value) ? value : [];
}

function readQueue(entry: unknown): QueueSeed | string {
  if (!isMap(entry) || typeof entry['Name'] !== 'string') return 'A queue has no Name';
  const properties = isMap(entry['Properties']) ? entry['Properties'] : {};
  const fields = Object.entries(properties).map(([name, value]) => [name, String(value)]);
  const read = readQueueDescription(Object.fromEntries(fields) as Record<string, string>);
  if (read.kind === 'refused') return `Queue '${entry['Name']}': ${read.problem}`;
  return { name: entry['Name'], ...read.properties };
}

function readNamespace(entry: Json): NamespaceSeed | string {
  if (typeof entry['Name'] !== 'string') return 'A namespace has no Name';
  if (listOf(entry, 'Topics').length > 0) {
    return 'The emulator has no topics: remove Topics from the file';
  }
  const queues: QueueSeed[] = [];
  for (const item of listOf(entry, 'Queues')) {
    const queue = readQueue(item);
    if (typeof queue === 'string') return queue;
    queues.push(queue);
  }
  return { name: entry['Name'], queues };
}

/** Reads the queues of a Config.json as the official emulator takes it: UserConfig.Namespaces. */
export function readConfigFile(text: string): ConfigResult {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return invalid(`The file is no JSON: ${error.message}`);
    throw error;
  }
  const user = isMap(document) ? document['UserConfig'] : undefined;
  if (!isMap(user)) return invalid('The file has no UserConfig');
  const entries = listOf(user, 'Namespaces').filter(isMap);
  const seeds: NamespaceSeed[] = [];
  for (const entry of entries) {
    const seed = readNamespace(entry);
    if (typeof seed === 'string') return invalid(seed);
    seeds.push(seed);
  }
  const [first, ...namespaces] = seeds;
  if (first === undefined) return invalid('UserConfig.Namespaces must hold a namespace');
  return { kind: 'read', queues: first.queues ?? [], namespaces };
}

await main();
