#!/usr/bin/env node
import { createEmulator, type Emulator } from './create-emulator.ts';
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

async function start(flags: Flags): Promise<Emulator> {
  const { location, ...rest } = flags;
  try {
    return await createEmulator({
      ...rest,
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
