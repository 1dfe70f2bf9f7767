import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { OpenClient } from '../client.ts';

const PROGRAM = join(import.meta.dirname, 'python_tables.py');
/** Debian installs its packages for its own Python only. */
const PYTHON = '/usr/bin/python3';

/** Says what to install where Microsoft's client for Python is not there. */
export function whyNoPython(): string | undefined {
  const { status } = spawnSync(PYTHON, ['-c', 'import azure.data.tables, azure.data.tables.aio']);
  return status === 0
    ? undefined
    : 'azure-data-tables for Python is absent; apt-get install python3-azure';
}

/** Microsoft's client for Python, as Debian has it. */
export const openPython: OpenClient = (connection) => {
  const run = async (...args: readonly string[]): Promise<unknown> => {
    const trusted = process.env['NODE_EXTRA_CA_CERTS'];
    const env = { ...process.env, ...(trusted !== undefined && { REQUESTS_CA_BUNDLE: trusted }) };
    const { stdout } = await promisify(execFile)(PYTHON, [PROGRAM, connection, ...args], { env });
    return JSON.parse(stdout);
  };
  return {
    work: (round) => run('work', `${round}`),
    find: async (round, facts) => void (await run('find', `${round}`, JSON.stringify(facts))),
  };
};
