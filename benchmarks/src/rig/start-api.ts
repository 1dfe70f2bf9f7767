import { fileURLToPath } from 'node:url';
import { type ProgramOptions, type RunningProgram, startProgram } from './start-program.ts';

export interface RunningApi {
  readonly program: RunningProgram;
  readonly url: string;
}

const MAIN = fileURLToPath(import.meta.resolve('@tandem/customer-api/main'));

/** The customer API as it is deployed, on a port of its own; without tokens, on loopback. */
export async function startApi(
  env: Readonly<Record<string, string>>,
  start: (options: ProgramOptions) => Promise<RunningProgram> = startProgram,
): Promise<RunningApi> {
  const program = await start({
    name: 'api',
    main: MAIN,
    env: { REGION_ID: 'east', HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'info', ...env },
  });
  const { port } = JSON.parse(program.readyLine) as { readonly port: number };
  return { program, url: `http://127.0.0.1:${port}` };
}
