import { parseArgs } from 'node:util';

const EXIT_CODE_MISUSED = 2;

/**
 * The options of a script, as `parseArgs` describes them. With --help prints `usage` and ends the process;
 * with an option that is not there says which, prints it too and exits with 2.
 */
export function readOptions(usage, options) {
  try {
    const help = { type: 'boolean', short: 'h', default: false };
    const { values } = parseArgs({ options: { ...options, help } });
    if (!values.help) return values;
    process.stdout.write(`${usage}\n`);
    return process.exit(0);
  } catch (error) {
    if (!String(error.code).startsWith('ERR_PARSE_ARGS')) throw error;
    process.stderr.write(`${error.message}\n\n${usage}\n`);
    return process.exit(EXIT_CODE_MISUSED);
  }
}
