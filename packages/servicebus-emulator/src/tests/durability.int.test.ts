import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ServiceBusClient, type ServiceBusReceivedMessage } from '@azure/service-bus';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCrashRounds } from '../crash/crash-rounds.ts';

const MAIN = join(import.meta.dirname, '../main.ts');
/** The program in crash/ runs more of them. A round takes seconds where many programs share the machine. */
const ROUNDS = 10;
const ROUND_MS_MAX = 30_000;

let folder: string;
let children: ChildProcess[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'emulator.'));
  children = [];
});
afterEach(async () => {
  for (const child of children) await end(child, 'SIGKILL');
  await rm(folder, { recursive: true });
});

interface Running {
  readonly child: ChildProcess;
  readonly connectionString: string;
}

function run(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  return child;
}

async function start(): Promise<Running> {
  const ports = ['--amqp-port', '0', '--admin-port', '0'];
  const child = run(['--location', folder, '--queues', 'q', ...ports]);
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string];
  const { event, connectionString } = JSON.parse(line) as Record<string, string>;
  expect(event).toBe('ready');
  return { child, connectionString: connectionString! };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(signal);
    await once(child, 'exit');
  }
  return child.exitCode;
}

async function peekAll(client: ServiceBusClient): Promise<ServiceBusReceivedMessage[]> {
  const receiver = client.createReceiver('q');
  const all: ServiceBusReceivedMessage[] = [];
  for (;;) {
    const page = await receiver.peekMessages(250);
    if (page.length === 0) return all;
    all.push(...page);
  }
}

const newClient = ({ connectionString }: Running) =>
  new ServiceBusClient(connectionString, { retryOptions: { maxRetries: 0, timeoutInMs: 30_000 } });

describe('an emulator with a folder that is killed', () => {
  it(
    `keeps every promise that it has made, ${ROUNDS} times in a row`,
    async () => {
      const result = await runCrashRounds({ folder, rounds: ROUNDS });
      expect(result.problems).toEqual([]);
      expect(result.accepted).toBeGreaterThan(ROUNDS);
      expect(result.completed).toBeGreaterThan(0);
      expect(result.present).toBeGreaterThanOrEqual(result.owed);
    },
    ROUNDS * ROUND_MS_MAX,
  );

  it('keeps delivery counts, and never uses a sequence number again', async () => {
    const first = await start();
    let client = newClient(first);
    let receiver = client.createReceiver('q');
    await client.createSender('q').sendMessages([{ body: 'kept' }, { body: 'done' }]);
    const [kept, done] = await receiver.receiveMessages(2);
    await receiver.abandonMessage(kept!);
    await receiver.completeMessage(done!);
    await end(first.child, 'SIGKILL');
    await client.close();

    const second = await start();
    client = newClient(second);
    receiver = client.createReceiver('q');
    await client.createSender('q').sendMessages({ body: 'new' });
    const messages = await peekAll(client);
    expect(
      messages.map((m) => [m.body as unknown, m.deliveryCount, m.sequenceNumber?.toNumber()]),
    ).toEqual([
      ['kept', 1, 1],
      ['new', 0, 3],
    ]);
    await client.close();
  });
});

describe('the program', () => {
  it('ends with code 0 when it is asked to', async () => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const { child } = await start();
      expect(await end(child, signal)).toBe(0);
    }
  });

  it('names the port that is taken, and the flag to choose another', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    for (const flag of ['--amqp-port', '--admin-port']) {
      const other = flag === '--amqp-port' ? '--admin-port' : '--amqp-port';
      const child = run([flag, String(port), other, '0']);
      const lines = createInterface(child.stderr!);
      const [line] = (await once(lines, 'line')) as [string];
      expect(line).toBe(`Port ${port} on 127.0.0.1 is taken: choose another with ${flag}.`);
      if (child.exitCode === null) await once(child, 'exit');
      expect(child.exitCode).toBe(1);
    }
    taken.close();
  });

  /** Returns what it says before it ends. */
  async function refusalOf(location: string): Promise<string> {
    const child = run(['--location', location, '--amqp-port', '0', '--admin-port', '0']);
    const [[line], [code]] = (await Promise.all([
      once(createInterface(child.stderr!), 'line'),
      once(child, 'exit'),
    ])) as [[string], [number]];
    expect(code).toBe(1);
    return line;
  }

  it('refuses a folder that another one uses, and takes it when that was killed', async () => {
    const { child } = await start();
    expect(await refusalOf(folder)).toBe(
      `The emulator could not start: the messages in ${folder} are used by another emulator: stop that one, or choose another folder`,
    );
    await end(child, 'SIGKILL');
    await start();
  });

  it('says which folder it cannot write to, and asks for another', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    expect(await refusalOf(join(file, 'below'))).toMatch(
      /^The folder of --location cannot be used \(ENOTDIR.*below.*\): choose one in which this user may write\.$/,
    );
    // Such a file system says of a new folder that there is none above it.
    expect(await refusalOf('/proc/no/folder')).toMatch(
      /^The folder of --location cannot be used \(E[A-Z]+.*\/proc.*\): choose one in which this user may write\.$/,
    );
  });
});
