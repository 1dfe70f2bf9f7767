import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ServiceBusClient, type ServiceBusReceivedMessage } from '@azure/service-bus';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const MAIN = join(import.meta.dirname, '../main.ts');
/** CRASH_ROUNDS=200 for a long run. A round takes seconds where many programs share the machine. */
const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 10);
const ROUND_MS_MAX = 15_000;
const KILL_STEPS = 20;

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

interface Death {
  readonly afterAccepted: number;
  readonly kill: () => void;
}

/** Kills the emulator amid sends; returns the bodies whose send was accepted. */
async function sendUntilDeath(
  client: ServiceBusClient,
  firstBody: number,
  { afterAccepted, kill }: Death,
): Promise<number[]> {
  const sender = client.createSender('q');
  const accepted: number[] = [];
  const lane = async (start: number): Promise<void> => {
    for (let body = start; body < start + 1_000; body += 1) {
      const sent = await sender.sendMessages({ body }).then(
        () => true,
        () => false,
      );
      if (!sent) return;
      accepted.push(body);
      if (accepted.length === afterAccepted) kill();
    }
  };
  await Promise.all([0, 1, 2, 3].map((number) => lane(firstBody + number * 1_000)));
  return accepted;
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
  new ServiceBusClient(connectionString, { retryOptions: { maxRetries: 0, timeoutInMs: 1_000 } });

describe('an emulator with a folder that is killed', () => {
  it(
    `has every accepted and no completed message, ${ROUNDS} times in a row`,
    async () => {
      const expected = new Set<number>();
      const numbers = new Set<number>();
      for (let round = 0; round < ROUNDS; round += 1) {
        const running = await start();
        const client = newClient(running);
        const before = await peekAll(client);
        const bodies = new Set(before.map((message) => Number(message.body)));
        expect([...expected].filter((body) => !bodies.has(body))).toEqual([]);
        // Sends of the last round whose answer was lost may be there as well: they count from now.
        for (const body of bodies) expected.add(body);

        const receiver = client.createReceiver('q');
        const received = await receiver.receiveMessages(5, { maxWaitTimeInMs: 50 });
        for (const message of received) {
          await receiver.completeMessage(message);
          expected.delete(Number(message.body));
          expect(numbers.has(message.sequenceNumber!.toNumber())).toBe(false);
          numbers.add(message.sequenceNumber!.toNumber());
        }
        const accepted = await sendUntilDeath(client, (round + 1) * 100_000, {
          // More of them from round to round, so that the death meets different moments.
          afterAccepted: 20 + (round % KILL_STEPS) * 7,
          kill: () => running.child.kill('SIGKILL'),
        });
        for (const body of accepted) expected.add(body);
        await end(running.child, 'SIGKILL');
        await client.close();
      }
      expect(expected.size).toBeGreaterThan(10 * ROUNDS);
      const running = await start();
      const client = newClient(running);
      const left = await peekAll(client);
      const bodies = left.map((message) => Number(message.body));
      expect(new Set(bodies).size).toBe(bodies.length);
      expect([...expected].filter((body) => !bodies.includes(body))).toEqual([]);
      expect(left.filter((m) => numbers.has(m.sequenceNumber!.toNumber()))).toEqual([]);
      await client.close();
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
});
