import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createLedger, type LedgerCounts } from './ledger.ts';
import { newClient, peekAll, QUEUE, runTraffic } from './mixed-traffic.ts';

export interface CrashRun {
  readonly folder: string;
  readonly rounds: number;
  readonly onRound?: (round: number, counts: LedgerCounts) => void;
}

export interface CrashResult extends LedgerCounts {
  readonly rounds: number;
  /** What is in the queue at the end. */
  readonly present: number;
  /** Empty when every promise was kept. */
  readonly problems: readonly string[];
}

interface EmulatorProcess {
  readonly connectionString: string;
  /** Ends it without a word. */
  kill(): void;
  readonly ended: Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('../main.ts', import.meta.url));
const ARGS = ['--amqp-port', '0', '--admin-port', '0', '--queues', QUEUE];

/** Runs the emulator's program on the folder. Throws when it ends before it is ready. */
async function startEmulatorProcess(folder: string): Promise<EmulatorProcess> {
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, ...ARGS, '--location', folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit').then(() => undefined);
  const lines = createInterface(child.stdout!);
  const line = await Promise.race([once(lines, 'line'), ended]);
  if (line === undefined) throw new Error('The emulator ended before it was ready');
  const { connectionString } = JSON.parse(String(line[0])) as { connectionString: string };
  return { connectionString, kill: () => child.kill('SIGKILL'), ended };
}

/** The kill follows this many answers, and more from round to round, to meet different moments. */
const ANSWERS_MIN = 10;
const ANSWERS_STEP = 7;
const STEPS = 23;

/**
 * Kills an emulator with SIGKILL amid mixed traffic, starts it again on its folder, and compares
 * what is there with what its clients were told; again and again.
 */
export async function runCrashRounds({ folder, rounds, onRound }: CrashRun): Promise<CrashResult> {
  const ledger = createLedger();
  const problems: string[] = [];
  let body = 0;
  let present = 0;
  for (let round = 0; round <= rounds; round += 1) {
    const emulator = await startEmulatorProcess(folder);
    const client = newClient(emulator.connectionString);
    const found = await peekAll(client);
    present = found.length;
    problems.push(...ledger.check(found));
    if (round < rounds) {
      let left = ANSWERS_MIN + (round % STEPS) * ANSWERS_STEP;
      const answered = (): void => {
        left -= 1;
        if (left === 0) emulator.kill();
      };
      const nextBody = (): number => (body += 1);
      await runTraffic({ client, ledger, nextBody, answered, isOver: () => left <= 0 });
    }
    emulator.kill();
    await emulator.ended;
    await client.close();
    onRound?.(round, ledger.counts());
  }
  return { ...ledger.counts(), rounds, present, problems };
}
