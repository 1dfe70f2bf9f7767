#!/usr/bin/env node
import './require-node.ts';
import { readFile } from 'node:fs/promises';
import { decodeText, readConfigFile } from './config-file.ts';
import { createEmulator, type Emulator, type EmulatorOptions } from './create-emulator.ts';
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
    const text = decodeText(await readFile(path));
    return text ?? exitWith(`The file of ${flag} is not in UTF-8: save ${path} as that.`);
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

await main();
