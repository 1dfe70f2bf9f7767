import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeCustomers } from './customers/make-customers.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const RUN_MS_MAX = 280_000;
const COUNT = 50;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function runDemo(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { timeout: RUN_MS_MAX }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

async function writeFileOf(items: readonly unknown[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'customers.json');
  await writeFile(file, `\uFEFF${JSON.stringify(items)}`);
  return file;
}

const ALL_ARRIVED = { written: COUNT, replicated: COUNT, missing: 0, different: 0, extra: 0 };

describe('the demo', () => {
  it(
    'replicates a file of customers, with and without ids, to all regions that it is told, and says so in its last line',
    async () => {
      const people = makeCustomers(COUNT).map(({ customerId, fields }, index) => ({
        CustomerId: index % 2 === 0 ? customerId : null,
        Email: fields.email,
        FirstName: fields.firstName,
        LastName: fields.lastName,
        PhoneNumber: fields.phoneNumber,
      }));
      const file = await writeFileOf(people);
      const regions = ['--regions', 'tokyo,lima,oslo'];
      const { code, stdout, stderr } = await runDemo('--customers', file, '--json', ...regions);
      expect(stderr).toContain(`Writing in tokyo ${COUNT}/${COUNT}`);
      expect(stderr).toContain(`Arriving in lima, oslo ${COUNT}/${COUNT}`);
      expect(JSON.parse(stdout)).toMatchObject(ALL_ARRIVED);
      expect(JSON.parse(stdout).lagMsP50).toBeGreaterThan(0);
      expect(stdout.trimEnd().split('\n')).toHaveLength(1);
      expect(code).toBe(0);
    },
    RUN_MS_MAX,
  );

  it(
    'loses a region half way and nothing that was acknowledged',
    async () => {
      const { code, stdout, stderr } = await runDemo(
        '--count',
        `${COUNT}`,
        '--fail-over',
        '--json',
      );
      expect(stderr).toContain('The processes of east were killed.');
      expect(stderr).toContain('east runs again.');
      const result = JSON.parse(stdout);
      expect(result).toMatchObject({ ...ALL_ARRIVED, notAcknowledged: 0 });
      expect(result.failOver.outageMs).toBeGreaterThan(0);
      expect(result.failOver.retriedWrites).toBeGreaterThan(0);
      expect(code).toBe(0);
    },
    RUN_MS_MAX,
  );

  it(
    'I20: loses a region half way, and no transaction of orders, and no part of one',
    async () => {
      const orders = ['--table', 'Orders', '--count', '500', '--concurrency', '4'];
      const { code, stdout, stderr } = await runDemo(...orders, '--fail-over', '--json');
      expect(stderr).toContain('The processes of east were killed.');
      const result = JSON.parse(stdout);
      expect(result).toMatchObject({
        written: 500,
        replicated: 500,
        missing: 0,
        different: 0,
        extra: 0,
        notAcknowledged: 0,
        transactions: { written: 50, torn: 0 },
      });
      expect(result.failOver.failedRequests).toBeGreaterThan(0);
      expect(code).toBe(0);
    },
    RUN_MS_MAX,
  );

  it('starts nothing for a file that it cannot use', async () => {
    const file = await writeFileOf([{ Email: 'a@example.com' }, { Email: 7 }]);
    const { code, stdout, stderr } = await runDemo('--customers', file);
    expect(stderr).toBe(
      `The file ${file} cannot be used: the item at index 1 has, as Email, neither a string nor null.\n`,
    );
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('starts nothing for options that it does not know', async () => {
    const { code, stderr } = await runDemo('--fast');
    expect(stderr).toContain("unknown option '--fast'");
    expect(code).toBe(2);
  });
});
