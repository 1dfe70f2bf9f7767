import { homedir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { isLoopback } from '@tandem/service-kit';
import type { Cli, Outcome } from '../act.ts';
import { createAccess } from '../console/access.ts';
import { createAudit } from '../console/audit.ts';
import { createConsoleApp } from '../console/console-app.ts';
import { createLongRuns } from '../console/long-runs.ts';
import { createCommandRunner } from '../console/run-command.ts';
import { createRegionWatch, REFRESH_MS } from '../console/watch-regions.ts';
import { type Io, keepStores } from '../io.ts';
import { wholeNumber } from '../option-values.ts';
import { type CommonOptions, createSession, type Session } from '../session.ts';
import { UsageError } from '../usage-error.ts';

interface ConsoleOptions extends CommonOptions {
  readonly host: string;
  readonly port: number;
  readonly audit?: string;
}

const PORT_DEFAULT = 7799;
const PORT_MAX = 65_535;

const HELP = `
The console shows a link that opens it once, and the next one when that was used. It listens where only this
machine can reach it, and works on while a region is down.
`;

export function addConsole({ program, act, io, runProgram }: Cli): void {
  const command = program
    .command('console')
    .description(
      'Serves the console: every region at a glance, and what each command does as a page.',
    )
    .option('--host <host>', 'where it listens: an address of this machine alone', '127.0.0.1')
    .option('--port <n>', '0 for any that is free', wholeNumber(0, PORT_MAX), PORT_DEFAULT)
    .option(
      '--audit <file>',
      'where each act is written down; in the state folder of who starts it by default',
    )
    .addHelpText('after', HELP);
  act<ConsoleOptions>(command, (session, options) => serve(session, options, { io, runProgram }));
}

async function serve(
  session: Session,
  options: ConsoleOptions,
  { io, runProgram }: Pick<Cli, 'io' | 'runProgram'>,
): Promise<Outcome> {
  if (!isLoopback(options.host)) {
    throw new UsageError(
      `${options.host} can be reached by others, and nobody would ask them who they are: --host takes 127.0.0.1, ` +
        '::1 or localhost.',
    );
  }
  const { regions, trafficManager } = await session.inventory();
  const own = keepStores(io);
  const onFault = (error: unknown): void => {
    session.tell(error instanceof Error ? (error.stack ?? error.message) : String(error));
  };
  const watch = createRegionWatch({
    openSession: () => createSession(own, options),
    names: regions.map(({ name }) => name),
    trafficManager,
    refreshMs: REFRESH_MS,
    onFault,
  });
  const access = createAccess({
    clock: io.clock,
    person: personOf(io),
    onEntered: () => session.tell(`The console was opened. For another browser: ${link()}`),
  });
  const globals = options.regions === undefined ? [] : ['--regions', options.regions];
  const run = createCommandRunner(own, (args, at) => runProgram([...globals, ...args], at));
  const auditFile = options.audit ?? auditFileOf(io);
  const audit = createAudit(auditFile, io.clock);
  const folder = join(dirname(auditFile), 'runs');
  const runs = createLongRuns({ folder, clock: io.clock, run, audit, onFault });
  const app = createConsoleApp({
    access,
    watch,
    clock: io.clock,
    run,
    runs,
    audit,
    allowedHosts: [],
    onFault,
  });
  const origin = await listen(app, options);
  const link = (): string => `${origin}/enter#${access.code()}`;
  session.tell(`Console: ${link()}`);
  try {
    await watch.run();
  } finally {
    const closing = app.close();
    app.server.closeAllConnections();
    await closing;
    await runs.close();
  }
  return { text: 'The console has ended.', json: { origin } };
}

/** Throws `UsageError` where the port is someone else's. */
async function listen(
  app: ReturnType<typeof createConsoleApp>,
  { host, port }: ConsoleOptions,
): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw error;
    throw new UsageError(
      `Nothing can listen on ${host}, port ${port} (${code}): choose another --port.`,
    );
  }
}

/** Finds where programs of this person keep what they have done (XDG base directories). */
function auditFileOf({ environment }: Pick<Io, 'environment'>): string {
  const home =
    environment['XDG_STATE_HOME'] ?? join(environment['HOME'] ?? homedir(), '.local', 'state');
  return join(home, 'tandem', 'console-audit.ndjson');
}

/** Names whoever started it: the audit has no other name where nobody is asked for one. */
function personOf({ environment }: Pick<Io, 'environment'>): string {
  const named = environment['USER'] ?? environment['LOGNAME'] ?? environment['USERNAME'];
  return named ?? userInfo().username;
}
