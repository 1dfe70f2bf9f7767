import {
  PORT_BASE_DEFAULT,
  parsePortBase,
  parseRegions,
  portsText,
  REGIONS_TEXT,
  regionNames,
} from '@tandem/local-cluster';
import { Command, CommanderError, InvalidArgumentError } from 'commander';

export const DATA_DEFAULT = '.tandem';

export interface LocalOptions {
  /** Names them, the preferred one first. */
  readonly regions: readonly string[];
  readonly portBase: number;
  /** Keeps the data from run to run. */
  readonly data: string;
  readonly fresh: boolean;
  readonly fastProbes: boolean;
}

export type OptionsReading =
  | { readonly kind: 'run'; readonly options: LocalOptions }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'invalid'; readonly message: string };

const HELP = `
Ports, from the base B on (default ${PORT_BASE_DEFAULT}; also TANDEM_PORT_BASE):
${portsText()}

Everything listens on 127.0.0.1 only. Ctrl-C or SIGTERM stops all of it.
`;

interface RawOptions extends Omit<LocalOptions, 'portBase'> {
  readonly portBase?: string;
}

/** Reads the command line and TANDEM_PORT_BASE; writes nothing. */
export function readOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): OptionsReading {
  const output: string[] = [];
  const command = createCommand((text) => output.push(text));
  // Some package managers pass the "--" on that ends their own options.
  const own = args[0] === '--' ? args.slice(1) : args;
  try {
    command.parse(own, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const text = output.join('').trimEnd();
    return error.exitCode === 0 ? { kind: 'help', text } : { kind: 'invalid', message: text };
  }
  const raw = command.opts<RawOptions>();
  const text = raw.portBase ?? (environment['TANDEM_PORT_BASE']?.trim() || undefined);
  const reading = parsePortBase(text ?? String(PORT_BASE_DEFAULT));
  if (reading.kind === 'problem') return { kind: 'invalid', message: reading.problem };
  return { kind: 'run', options: { ...raw, portBase: reading.base } };
}

function createCommand(write: (text: string) => void): Command {
  return new Command('npm start --')
    .description(
      'Starts regions, east and west unless there shall be more, and a traffic manager in front of them.',
    )
    .option('--regions <count or names>', REGIONS_TEXT, toRegions, regionNames(2))
    .option('--port-base <B>', 'first of the ports that are used, see below')
    .option('--data <folder>', 'where the data is kept from run to run', DATA_DEFAULT)
    .option('--fresh', 'delete the data of earlier runs first', false)
    .option(
      '--fast-probes',
      'the traffic manager probes every second, and fails over in seconds instead of about 40',
      false,
    )
    .helpOption('--help', 'show this text')
    .addHelpText('after', HELP)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: write });
}

function toRegions(text: string): readonly string[] {
  const reading = parseRegions(text);
  if (reading.kind === 'regions') return reading.regions;
  throw new InvalidArgumentError(reading.problem);
}
