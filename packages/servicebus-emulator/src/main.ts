#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { readConfigFile } from './config-file.ts';
import { createEmulator, type Emulator, type QueueSeed } from './create-emulator.ts';
import { readFlags, USAGE, type Flags } from './read-flags.ts';

function exitWith(problem: string): never {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}

/** One sentence for what goes wrong when a server starts. */
function explain(error: unknown, flags: Flags): string {
  const { code, port, message } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE' || code === 'EACCES') {
    const flag = port === flags.amqpPort ? '--amqp-port' : '--admin-port';
    const why = code === 'EADDRINUSE' ? 'is taken' : 'may not be used by this user';
    return `Port ${port} on ${flags.host} ${why}: choose another with ${flag}.`;
  }
  return `The emulator could not start: ${message}`;
}

async function readConfig(path: string): Promise<readonly QueueSeed[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    return exitWith(`The file of --config cannot be read: ${(error as Error).message}`);
  }
  const result = readConfigFile(text);
  return result.kind === 'read' ? result.queues : exitWith(`${path}: ${result.problem}`);
}

async function start(flags: Flags): Promise<Emulator> {
  const { location, config, queues, ...rest } = flags;
  const declared = config === undefined ? [] : await readConfig(config);
  try {
    return await createEmulator({
      ...rest,
      queues: [...queues, ...declared],
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
  const { amqpPort, adminPort, connectionString, adminConnectionString } = emulator;
  const facts = { amqpPort, adminPort, connectionString, adminConnectionString };
  process.stdout.write(`${JSON.stringify({ event: 'ready', ...facts })}\n`);
}

await main();
