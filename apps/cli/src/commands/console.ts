import { homedir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { isLoopback } from '@tandem/service-kit';
import type { Cli, Outcome } from '../act.ts';
import { createLinkAccess, type LinkAccess } from '../console/access.ts';
import { createAudit } from '../console/audit.ts';
import { createConsoleApp } from '../console/console-app.ts';
import { createLongRuns } from '../console/long-runs.ts';
import { createCommandRunner } from '../console/run-command.ts';
import {
  createSignIn,
  readSignInSettings,
  type SignInAccess,
  type SignInSettings,
} from '../console/sign-in.ts';
import { createRegionWatch, REFRESH_MS } from '../console/watch-regions.ts';
import { UsageError } from '../exit-codes.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { type Io, keepStores } from '../io.ts';
import { wholeNumber } from '../option-values.ts';
import { type CommonOptions, createSession, type Session } from '../session.ts';

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

People sign in by OpenID Connect instead, and --host may be any address, where these are set: TANDEM_CONSOLE_URL, where
people open it; TANDEM_CONSOLE_ISSUER; TANDEM_CONSOLE_CLIENT_ID and, of a client that has one, _CLIENT_SECRET.
docs/console.md tells of the roles.
`;

export function addConsole({ program, act, io, runProgram }: Cli): void {
  const command = program
    .command('console')
    .description(
      'Serves the console: every region at a glance, and what each command does as a page.',
    )
    .option(
      '--host <host>',
      'where it listens: without sign-in an address of this machine alone',
      '127.0.0.1',
    )
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
  const settings = readSignInSettings(io.environment);
  if (settings === undefined && !isLoopback(options.host)) {
    throw new UsageError(
      `${options.host} can be reached by others, and nobody would ask them who they are: --host takes 127.0.0.1, ` +
        '::1 or localhost, or people sign in, which takes TANDEM_CONSOLE_URL, TANDEM_CONSOLE_ISSUER and ' +
        'TANDEM_CONSOLE_CLIENT_ID.',
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
  const access = createDoor(settings, { io, session, onFault, link: () => link() });
  const globals = options.regions === undefined ? [] : ['--regions', options.regions];
  const run = createCommandRunner(own, (args, at) => runProgram([...globals, ...args], at));
  const auditFile = options.audit ?? auditFileOf(io);
  // The disk of a container goes with it; what it says is kept elsewhere.
  const onLine = settings === undefined ? undefined : (line: string) => session.tell(line);
  const audit = createAudit(auditFile, io.clock, onLine);
  const folder = join(dirname(auditFile), 'runs');
  const runs = createLongRuns({ folder, clock: io.clock, run, audit, onFault });
  const app = createConsoleApp({
    access,
    watch,
    clock: io.clock,
    run,
    runs,
    audit,
    onFault,
    processes: processesOf(regions),
  });
  const origin = await listen(app, options);
  const link = (): string =>
    access.kind === 'link'
      ? `${origin}/enter#${access.code()}`
      : `${access.origin}, by sign-in at ${access.issuer}`;
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

/** Returns how people come in: by the terminal, or by an identity provider. */
function createDoor(
  settings: SignInSettings | undefined,
  {
    io,
    session,
    onFault,
    link,
  }: {
    readonly io: Io;
    readonly session: Session;
    readonly onFault: (error: unknown) => void;
    readonly link: () => string;
  },
): LinkAccess | SignInAccess {
  if (settings !== undefined) return createSignIn({ settings, clock: io.clock, onFault });
  return createLinkAccess({
    clock: io.clock,
    person: personOf(io),
    onEntered: () => session.tell(`The console was opened. For another browser: ${link()}`),
  });
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

function processesOf(regions: Inventory['regions']): { region: string; file: string }[] {
  return regions.flatMap(({ name, processes: file }) =>
    file === undefined ? [] : [{ region: name, file }],
  );
}
