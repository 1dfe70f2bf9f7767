import { parseArgs } from 'node:util';

export interface Flags {
  readonly location: string | undefined;
  readonly config: string | undefined;
  readonly host: string;
  readonly amqpPort: number;
  readonly adminPort: number;
  readonly queues: readonly string[];
  readonly namespaces: readonly string[];
  readonly allowedHosts: readonly string[];
  readonly controlPort: number | undefined;
  /** Paths of PEM files. */
  readonly tlsFiles: { readonly cert: string; readonly key: string } | undefined;
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
  --namespaces <a,b>    more namespaces, each for hosts that begin with its name
  --tls-cert <file>     certificate in PEM: the ports take TLS as well as plain connections
  --tls-key <file>      its key in PEM
  --control-port <port> port for faults that tests ask for, by anybody (default: none)
  --allowed-hosts <a,b> more names under which administration and control may be asked, beside
                        addresses, names without a dot and those of the service
  --help                show this text
`;

const OPTIONS = {
  location: { type: 'string' },
  host: { type: 'string', default: DEFAULTS.host },
  'amqp-port': { type: 'string', default: DEFAULTS.amqpPort },
  'admin-port': { type: 'string', default: DEFAULTS.adminPort },
  queues: { type: 'string', default: '' },
  config: { type: 'string' },
  namespaces: { type: 'string', default: '' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'control-port': { type: 'string' },
  'allowed-hosts': { type: 'string', default: '' },
  help: { type: 'boolean', default: false },
} as const;

function readPort(text: string): number | undefined {
  return /^\d+$/.test(text) && Number(text) <= PORT_MAX ? Number(text) : undefined;
}

interface PortValues {
  readonly 'amqp-port': string;
  readonly 'admin-port': string;
  readonly 'control-port'?: string | undefined;
}

/** Names the first port that is none. */
function findPortProblem(values: PortValues): string | undefined {
  const flags = ['amqp-port', 'admin-port', 'control-port'] as const;
  const flag = flags.find((name) => readPort(values[name] ?? '0') === undefined);
  if (flag === undefined) return undefined;
  return `--${flag} must be a number from 0 to ${PORT_MAX}, got '${values[flag]}'`;
}

const readNames = (text: string): string[] => text.split(',').filter((name) => name !== '');

/** Reads the command line. */
export function readFlags(args: readonly string[]): FlagsResult {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS, strict: true });
    if (values.help) return { kind: 'help' };
    const problem = findPortProblem(values);
    if (problem !== undefined) return { kind: 'invalid', problem };
    const { 'tls-cert': cert, 'tls-key': key, 'control-port': controlPort } = values;
    if ((cert === undefined) !== (key === undefined)) {
      return { kind: 'invalid', problem: '--tls-cert and --tls-key are needed both or neither' };
    }
    const { location, host, config } = values;
    return {
      kind: 'start',
      flags: {
        location,
        config,
        host,
        amqpPort: Number(values['amqp-port']),
        adminPort: Number(values['admin-port']),
        queues: readNames(values.queues),
        namespaces: readNames(values.namespaces),
        allowedHosts: readNames(values['allowed-hosts'].toLowerCase()),
        controlPort: controlPort === undefined ? undefined : Number(controlPort),
        tlsFiles: cert === undefined || key === undefined ? undefined : { cert, key },
      },
    };
  } catch (error) {
    // parseArgs throws a TypeError that names the flag.
    if (error instanceof TypeError) return { kind: 'invalid', problem: error.message };
    throw error;
  }
}
