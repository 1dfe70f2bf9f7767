import { parseArgs } from 'node:util';

export interface Flags {
  readonly location: string | undefined;
  readonly config: string | undefined;
  readonly host: string;
  readonly amqpPort: number;
  readonly adminPort: number;
  readonly queues: readonly string[];
}

export type FlagsResult =
  | { readonly kind: 'start'; readonly flags: Flags }
  | { readonly kind: 'help' }
  | { readonly kind: 'invalid'; readonly problem: string };

const DEFAULTS = { host: '127.0.0.1', amqpPort: '5672', adminPort: '5300' };
const PORT_MAX = 65_535;

export const USAGE = `Usage: servicebus-emulator [options]

  --location <folder>   keep the messages in this folder (default: in memory)
  --host <address>      address to listen on (default: ${DEFAULTS.host})
  --amqp-port <port>    port for messages, 0 for a free one (default: ${DEFAULTS.amqpPort})
  --admin-port <port>   port for administration, 0 for a free one (default: ${DEFAULTS.adminPort})
  --queues <a,b>        queues to create when they are absent
  --config <file>       Config.json of the official emulator, with more such queues
  --help                show this text
`;

const OPTIONS = {
  location: { type: 'string' },
  host: { type: 'string', default: DEFAULTS.host },
  'amqp-port': { type: 'string', default: DEFAULTS.amqpPort },
  'admin-port': { type: 'string', default: DEFAULTS.adminPort },
  queues: { type: 'string', default: '' },
  config: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

function readPort(text: string): number | undefined {
  return /^\d+$/.test(text) && Number(text) <= PORT_MAX ? Number(text) : undefined;
}

/** Reads the command line. */
export function readFlags(args: readonly string[]): FlagsResult {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS, strict: true });
    if (values.help) return { kind: 'help' };
    const amqpPort = readPort(values['amqp-port']);
    const adminPort = readPort(values['admin-port']);
    if (amqpPort === undefined || adminPort === undefined) {
      const flag = amqpPort === undefined ? 'amqp-port' : 'admin-port';
      const problem = `--${flag} must be a number from 0 to ${PORT_MAX}, got '${values[flag]}'`;
      return { kind: 'invalid', problem };
    }
    const queues = values.queues.split(',').filter((name) => name !== '');
    const { location, host, config } = values;
    return { kind: 'start', flags: { location, config, host, amqpPort, adminPort, queues } };
  } catch (error) {
    // parseArgs throws a TypeError that names the flag.
    if (error instanceof TypeError) return { kind: 'invalid', problem: error.message };
    throw error;
  }
}
