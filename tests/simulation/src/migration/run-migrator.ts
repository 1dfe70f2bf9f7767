import { runProgram } from '@tandem/cli/program';
import type { SourceState, TableMove } from '@tandem/core';
import type { RawValue } from '../observe/raw-state.ts';
import type { ProcessContext } from '../processes/process-context.ts';
import { createTablePort } from '../processes/table-port.ts';
import { PLAIN_TABLE } from '../world/describe-transaction.ts';
import type { Migration } from './migration.ts';
import { MIRROR_ACCOUNTS, OLD_ACCOUNT } from './plain-accounts.ts';
import { TABLE } from './run-plain-client.ts';

/** What outlives an operator's process. */
export interface MigrationDesk {
  /** Commands begun so far: each is told apart by its number. */
  begun: number;
  isClosed: boolean;
  /** It was not where it is to be, however often it was tried. */
  isStuck: boolean;
  /** What the last command said, for who wants to know why nothing moves. */
  last: string;
}

export function createMigrationDesk(): MigrationDesk {
  return { begun: 0, isClosed: false, isStuck: false, last: '' };
}

/** Where the table is, as the records of its home region say: read without the product's rules. */
export interface Whereabouts {
  readonly generation: number;
  readonly state: SourceState | 'none';
  /** The account that its rows come from, or go to. */
  readonly from: string;
  /** Where they came from before it was on its way out; undefined where they were all here. */
  readonly overlaid: string | undefined;
  readonly mirror: string | undefined;
  /** How far it is on its way to the other space; undefined before. */
  readonly move: TableMove['state'] | undefined;
}

const FIRST_MS = [200, 4_000] as const;
const BREAK_MS = [300, 6_000] as const;
/** Now and then nothing moves for a while: what is wrong in one state alone has time to show. */
const REST_MS = [6_000, 20_000] as const;
const REST_PROBABILITY = 0.15;
const AGAIN_MS = 1_500;
const CLOSING_STEPS_MAX = 120;

/** An operator at a terminal: takes the table one step further, or one back, and again. */
export async function migrate(migration: Migration, context: ProcessContext): Promise<void> {
  const { incarnation, world } = context;
  const { draw } = world;
  const clock = context.clock('operator');
  const { slot } = incarnation;
  if (slot.starts === 1) await clock.sleep(draw.integer(`${slot.name}.first`, FIRST_MS));
  while (incarnation.isAlive && !world.isClosing) {
    const { desk } = migration;
    desk.begun += 1;
    const key = `${slot.name}.move${desk.begun}`;
    const args = draw.pick(key, commandsFor(migration, false));
    if (args !== undefined) await run(migration, context, args);
    const isResting = draw.chance(`${key}.rests`, REST_PROBABILITY);
    await clock.sleep(draw.integer(`${key}.break`, isResting ? REST_MS : BREAK_MS));
  }
}

/** When the faults are over: goes on to where it is to be. */
export async function closeMigration(migration: Migration, context: ProcessContext): Promise<void> {
  const { desk, plan } = migration;
  const clock = context.clock('operator');
  for (let step = 0; step < CLOSING_STEPS_MAX; step += 1) {
    const { state, from, move } = whereaboutsIn(migration);
    const isThere = state === 'done' && (!plan.movesOn || move === 'settled');
    const isOut = state === 'proxy' && from !== OLD_ACCOUNT;
    if (plan.goal === 'done' ? isThere : isOut) {
      // What was returned is behind it once every region has heard.
      const isOver = state === 'done' || (await run(migration, context, returning(migration)));
      if (isOver) break;
    } else {
      const [args] = commandsFor(migration, true);
      if (args !== undefined) await run(migration, context, args);
    }
    desk.isStuck = step === CLOSING_STEPS_MAX - 1;
    await clock.sleep(AGAIN_MS);
  }
  desk.isClosed = true;
  context.world.recoveries.isClosed = true;
}

type Args = readonly string[];

function returning({ plan }: Migration): Args {
  return ['return', '--apply', '--confirm', plan.home];
}

/** Returns what an operator may think of next; the first is the way to where it is to be. */
function commandsFor(migration: Migration, isClosing: boolean): readonly (Args | undefined)[] {
  const { plan } = migration;
  const where = whereaboutsIn(migration);
  const { state, from, mirror, generation } = where;
  if (plan.movesOn && state === 'done') return moving(migration, where);
  const takeOver = ['take-over', '--apply', '--confirm', plan.home];
  const status = ['status'];
  switch (state) {
    case 'none':
      return [adopting(migration)];
    case 'proxy':
      if (from === OLD_ACCOUNT) return [takeOver, takeOver, undefined, status];
      // There has to be one more account to return it to.
      if (generation >= MIRROR_ACCOUNTS.length && plan.goal === 'returned') return [undefined];
      return [takeOver, returning(migration), undefined, undefined];
    case 'frozen':
      return [takeOver, takeOver, undefined, ['take-over', '--back', '--apply']];
    case 'overlay':
    case 'copied':
    case 'done': {
      const prove = ['verify-copy', '--apply'];
      const to = MIRROR_ACCOUNTS[generation];
      const out =
        to === undefined
          ? undefined
          : mirror === undefined
            ? ['mirror', '--to', to, '--account-table', PLAIN_TABLE, '--apply']
            : returning(migration);
      if (isClosing && plan.goal === 'returned') return [out];
      // Who wants it out needs no copy.
      if (plan.goal === 'returned' && out !== undefined) return [out, out, out, prove, undefined];
      if (state === 'overlay') return [undefined, status, out, out];
      return state === 'copied' ? [prove, prove, undefined, out, out] : [undefined, out, out];
    }
    case 'closing':
    case 'returning':
      return [
        returning(migration),
        returning(migration),
        undefined,
        ['return', '--back', '--apply'],
      ];
    case 'returned':
      return [returning(migration), undefined];
    default:
      return [undefined];
  }
}

/** A mirror reads one space, so it ends before. */
function moving({ plan }: Migration, { move, mirror }: Whereabouts): readonly (Args | undefined)[] {
  const go = ['move', '--apply', '--confirm', plan.home];
  const to = ['mirror', '--to', 'plain0', '--account-table', PLAIN_TABLE, '--apply'];
  switch (move) {
    case undefined:
      return mirror === undefined
        ? [go, go, undefined, to]
        : [['mirror', '--end', '--apply'], go, undefined];
    case 'joining':
      return [go, go, undefined, ['move', '--back', '--apply']];
    case 'turning':
    case 'moved':
      return [go, undefined];
    default:
      return [undefined];
  }
}

function adopting({ plan }: Migration): Args {
  const from = ['--from', OLD_ACCOUNT, '--account-table', PLAIN_TABLE];
  return ['adopt', ...from, '--policy', plan.policy, '--apply'];
}

export function whereaboutsIn({ plan, ledger }: Migration, region = plan.home): Whereabouts {
  const { records } = ledger.regionNamed(region);
  const key = TABLE.toLowerCase();
  let found: Whereabouts = {
    generation: -1,
    state: 'none',
    from: '',
    overlaid: undefined,
    mirror: undefined,
    move: undefined,
  };
  for (const [id, { columns }] of records) {
    const [name, digits = '', end] = id.split('~');
    const generation = parseInt(digits, 36);
    if (name !== key || end !== undefined || generation < found.generation) continue;
    if (records.has(`${id}~deleted`)) continue;
    const { move, ...source } = originIn(columns.get('source'));
    const mirror = jsonIn(columns.get('mirror'));
    found = {
      generation,
      state: source.state ?? 'none',
      from: source.from ?? '',
      overlaid: overlaidIn(source),
      mirror: mirror.to,
      move: move?.state,
    };
  }
  return found;
}

/** What of a record is looked at, of where rows come from or go to. */
interface Told {
  readonly state?: SourceState;
  readonly from?: string;
  readonly before?: Told;
  readonly to?: string;
}

type Moved = Pick<TableMove, 'state'>;

function overlaidIn({ before, ...source }: Told): string | undefined {
  const { state, from } = before ?? source;
  return state === 'overlay' || state === 'copied' ? from : undefined;
}

/** Where it moves stands around where its rows come from. */
function originIn(column: RawValue | undefined): Told & { readonly move?: Moved } {
  const told = jsonIn(column) as Told & { readonly source?: string; readonly move?: Moved };
  const { move, source = '{}' } = told;
  return move === undefined ? told : { ...(JSON.parse(source) as Told), move };
}

function jsonIn(column: RawValue | undefined): Told {
  return column == null ? {} : (JSON.parse(String(column[1])) as Told);
}

/** Resolves with whether the command ended as it was to. */
async function run(
  migration: Migration,
  context: ProcessContext,
  [verb = '', ...options]: Args,
): Promise<boolean> {
  const { plan, desk } = migration;
  const { incarnation, world, randomness } = context;
  const { draw, situations, trace } = world;
  const part = verb;
  const said = { out: '', err: '' };
  const args = ['--json', 'tables', verb, TABLE, '--region', plan.home, ...options];
  trace.note(`${incarnation.slot.name} runs ${args.slice(1).join(' ')}`);
  const openPlain = migration.openPlain(context, part);
  const inventory = {
    version: 1,
    regions: world.regions.map(({ name }) => ({
      name,
      storage: name,
      serviceBus: `${name}.example`,
    })),
  };
  const code = await runProgram(args, {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    isTerminal: false,
    environment: { TANDEM_REGIONS: JSON.stringify(inventory) },
    folder: '/nowhere',
    openStore(connection, timeoutMs) {
      if (connection.includes(':')) return openPlain(connection, timeoutMs);
      const { account } = world.regionNamed(connection);
      return createTablePort({ incarnation, account, draw, part });
    },
    inspectQueue: async () => [],
    readReadiness: async () => undefined,
    openQueue: () => {
      throw new Error('No command of these asks a queue.');
    },
    clock: context.clock(part),
    randomness,
    signal: incarnation.signal,
  });
  desk.last = `tandem ${args.slice(1).join(' ')}: ${code} ${said.err}${said.out}`.trim();
  trace.note(`${incarnation.slot.name} ${desk.last}`);
  if (code === 0) situations.note(`moved-by-${verb}`);
  return code === 0;
}
