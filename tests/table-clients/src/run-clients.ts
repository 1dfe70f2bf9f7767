/**
 * Each client does its ordinary work at one region while the other is killed and comes back, and finds it in the other
 * afterwards; then goes on there while the first is gone:
 *
 *     east   ── work 1 ── work 2 ── work 3 ──────────── ✕ killed ──────── back ── find 1–4
 *     west   ── ✕ killed in 1 ───── back in 3 ── find 1–3 ── work 4 ──────────
 */
import { join } from 'node:path';
import { type LineProcess, startLineProcess } from './child.ts';
import type { Done, Order } from './client.ts';
import { CLIENT_NAMES, type ClientName, whyAbsent } from './clients.ts';
import type { ServedRegion, TwoRegions } from './two-regions.ts';

export { CLIENT_NAMES, type ClientName, whyAbsent } from './clients.ts';
export { ACCOUNT, type ServedRegion, startTwoRegions, type TwoRegions } from './two-regions.ts';

/** `ok`, or what went wrong, or that it is absent and how to get it. */
export type ClientResults = Readonly<Record<ClientName, string>>;

const PROGRAM = join(import.meta.dirname, 'run-client.ts');
const FIND_WAIT_MS_MAX = 90_000;
const FIND_POLL_MS = 300;
/** More would wait for each other: a machine with two cores runs the regions too. */
const AT_ONCE = 3;

export async function runClients(
  { east, west, certificate }: TwoRegions,
  onProgress: (what: string) => void = () => undefined,
): Promise<ClientResults> {
  const results = new Map<ClientName, string>();
  const runs: ClientRun[] = [];
  for (const name of CLIENT_NAMES) {
    const why = whyAbsent(name);
    if (why === undefined) runs.push(new ClientRun(name, certificate));
    results.set(name, why === undefined ? 'ok' : `ABSENT: ${why}`);
  }
  const all = async (what: string, act: (run: ClientRun) => Promise<void>): Promise<void> => {
    onProgress(what);
    const waiting = runs.filter(({ name }) => results.get(name) === 'ok');
    const inTurn = async (): Promise<void> => {
      for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
        try {
          await act(run);
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          const said = [east, west].map((one) => `\n${one.region} said: ${one.said()}`).join('');
          results.set(run.name, `${what}: ${message}${said}`);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, inTurn));
  };
  try {
    let first = true;
    let killing = Promise.resolve();
    await all('works in east while west is killed', async (run) => {
      await run.work(east, 1);
      // The others are in the middle of it.
      if (first) killing = west.kill();
      first = false;
    });
    await killing;
    await all('works in east while west is gone', (run) => run.work(east, 2));
    const back = west.start();
    await all('works in east while west comes back', (run) => run.work(east, 3));
    await back;
    await all('finds its work in west', (run) => run.find(west, [1, 2, 3]));
    await east.kill();
    await all('goes on in west while east is gone', (run) => run.work(west, 4));
    await east.start();
    await all('finds its work in east', (run) => run.find(east, [1, 2, 3, 4]));
  } finally {
    await Promise.all(runs.map((run) => run.stop()));
  }
  return Object.fromEntries(results) as ClientResults;
}

/** One client, in a process for each region, which lives as long as an application does. */
class ClientRun {
  readonly name: ClientName;
  readonly #certificate: string;
  readonly #processes = new Map<string, LineProcess>();
  /** What each round left for those who look for it. */
  readonly #facts = new Map<number, unknown>();

  constructor(name: ClientName, certificate: string) {
    this.name = name;
    this.#certificate = certificate;
  }

  async work(region: ServedRegion, round: number): Promise<void> {
    const done = await this.#order(region, { do: 'work', round });
    if (done.kind === 'failed') throw new Error(done.message);
    this.#facts.set(round, done.facts);
  }

  /** What was written elsewhere comes within seconds. */
  async find(region: ServedRegion, rounds: readonly number[]): Promise<void> {
    const endMs = Date.now() + FIND_WAIT_MS_MAX;
    for (const round of rounds) {
      for (;;) {
        const facts = this.#facts.get(round);
        const done = await this.#order(region, { do: 'find', round, facts });
        if (done.kind === 'done') break;
        if (Date.now() > endMs) throw new Error(`round ${round}: ${done.message}`);
        await new Promise((resolve) => setTimeout(resolve, FIND_POLL_MS));
      }
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((one) => one.kill()));
  }

  async #order({ region, connection }: ServedRegion, order: Order): Promise<Done> {
    let process = this.#processes.get(region);
    if (process === undefined) {
      process = startLineProcess(PROGRAM, [this.name], {
        AZURE_STORAGE_CONNECTION_STRING: connection,
        NODE_EXTRA_CA_CERTS: this.#certificate,
      });
      this.#processes.set(region, process);
    }
    process.send(order);
    return (await process.next()) as Done;
  }
}
