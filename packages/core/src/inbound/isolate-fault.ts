import type { ReceivedSet } from '../arrival/judge-change-set.ts';
import type { Notices } from '../arrival/notices.ts';
import { type FailedSet, isMessageFault, settlementOfSets } from '../arrival/refusal.ts';
import { forEachBounded } from '../concurrency/bounded.ts';
import { type RetryPolicy, retryDelayMs } from '../concurrency/retry.ts';
import { AppError, type AppErrorCode, TerminalError } from '../errors.ts';
import type { ChangeSet } from '../model/change-set.ts';
import type { InboundMessage, Settlement } from '../ports/change-receiver.ts';
import type { Clock } from '../ports/clock.ts';
import type { Randomness } from '../ports/randomness.ts';
import type { Applier } from './apply-change-sets.ts';

/** Says where a change set goes, and which entities it is about. */
export interface ProbedSet extends Pick<ChangeSet, 'entityKind' | 'bucket' | 'stamp'> {
  /** It is kept in pieces before it goes there. */
  readonly isFragment?: boolean;
  readonly changes: readonly { readonly entityId: string }[];
}

/**
 * Tells a change set that the store never takes from a store that takes nothing.
 *
 *     a batch fails ──▶ probe fails ──▶ an outage: the batch is held, nothing is settled
 *                  └──▶ probe works ──▶ by halves: what works is applied and settled at once,
 *                                       what fails alone is isolated and tried again, alone
 *     isolated ──▶ works                      ──▶ applied
 *              ──▶ fails, all probes work, 8 times ──▶ dead-lettered as `ENTITY_UNSTORABLE`
 *              ──▶ fails, one of them fails    ──▶ an outage: not counted
 *
 * The probe asks the same tables, in the same partitions, for a row and for a write that are about no entity.
 */
interface IsolationOptions {
  readonly applier: Pick<Applier, 'apply'>;
  /** Resolves when the store answers a read and a write where the set would go; throws what the store throws. */
  readonly probe: (set: ProbedSet) => Promise<void>;
  /** Archives without a pause what is appended next. */
  readonly hurry: () => void;
}

interface Isolated {
  readonly received: ReceivedSet;
  readonly error: unknown;
}

export interface AppliedApart {
  /** Says, by key, what became of all that are not isolated. */
  readonly results: ReadonlyMap<string, TerminalError | undefined>;
  /** Holds them by key. */
  readonly isolated: ReadonlyMap<string, Isolated>;
}

/**
 * Applies by halves what failed together. Throws what failed when the probe fails too: then the store is to
 * blame, and nothing is isolated. Throttling is the store's always, and a wrong clock this process's.
 */
export async function applyApart(
  sets: readonly ReceivedSet[],
  failure: unknown,
  options: IsolationOptions,
): Promise<AppliedApart> {
  const results = new Map<string, TerminalError | undefined>();
  const isolated = new Map<string, Isolated>();
  const split = async (some: readonly ReceivedSet[], error: unknown): Promise<void> => {
    const [first] = some;
    if (first === undefined || !(await isOwnFault(error, () => options.probe(first.set)))) {
      throw error;
    }
    if (some.length === 1) {
      isolated.set(first.key, { received: first, error });
      return;
    }
    const half = Math.ceil(some.length / 2);
    for (const part of [some.slice(0, half), some.slice(half)]) await applyPart(part);
  };
  const applyPart = async (some: readonly ReceivedSet[]): Promise<void> => {
    try {
      options.hurry();
      for (const [key, result] of await options.applier.apply(some)) results.set(key, result);
    } catch (error) {
      await split(some, error);
    }
  };
  await split(sets, failure);
  return { results, isolated };
}

/** Tells whether what failed alone is to blame, since the store answers beside it. */
export async function isOwnFault(error: unknown, probe: () => Promise<void>): Promise<boolean> {
  return !isNoSets(error) && (await isAnswered(probe));
}

interface RetryIsolatedOptions extends Omit<IsolationOptions, 'applier'> {
  readonly set: ProbedSet;
  /** Resolves with why it never can be applied, or undefined when it is. */
  readonly attempt: () => Promise<TerminalError | undefined>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly signal: AbortSignal;
  /** Told of each failure that was its own. */
  readonly onFailed: (error: unknown) => void;
  /** Told of each failure that was the store's. */
  readonly onOutage?: ((error: AppError, attempt: number, retryInMs: number) => void) | undefined;
}

/** Bounds the failures of its own, each with a probe that works beside it, after which a set is given up. */
const ISOLATED_FAILURES_MAX = 8;
/**
 * So many probes, and one more for each change, have to work before a failure is the set's own. Applying a set takes
 * several calls, and more for each of its changes, so a store that fails now and then would fail for the set far more
 * often than for one probe: together they make about three times as many calls.
 */
const PROBES_PER_FAILURE = 10;
/** No transaction applies more changes than that. */
const CHANGES_PROBED_MAX = 100;
const PROBES_AT_ONCE_MAX = 8;
/**
 * Adds up with the failures above to at most 13 s of waiting: less than what makes a region fall behind its
 * queue.
 */
const ISOLATED_POLICY: RetryPolicy = {
  attemptsMax: Number.POSITIVE_INFINITY,
  delayMsMin: 250,
  delayMsMax: 3_000,
};

/**
 * Tries what failed alone until it is applied, is refused for good, or has failed so often while the store
 * took others that it is to blame itself. Resolves with why it never can be applied, or undefined; with
 * 'stopped' when the signal aborts first.
 */
async function retryIsolated(
  failure: unknown,
  options: RetryIsolatedOptions,
): Promise<TerminalError | undefined | 'stopped'> {
  const { set, attempt, probe, hurry, clock, randomness, signal } = options;
  let error = failure;
  options.onFailed(error);
  for (let failures = 1; failures < ISOLATED_FAILURES_MAX; ) {
    const waitMs = retryDelayMs(ISOLATED_POLICY, failures, randomness.fraction());
    await clock.sleep(waitMs, signal);
    if (signal.aborted) return 'stopped';
    try {
      hurry();
      return await attempt();
    } catch (thrown) {
      error = thrown;
      // It says itself why no store can take it, and what to mend.
      if (thrown instanceof TerminalError && isMessageFault(thrown)) return thrown;
    }
    const isOwn = !isNoSets(error) && (await isSteady(set, probe));
    if (isOwn) {
      failures += 1;
      options.onFailed(error);
    } else if (error instanceof AppError) options.onOutage?.(error, failures, waitMs);
  }
  return unstorable(set, error);
}

async function isAnswered(ask: () => Promise<void>): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

function isSteady(set: ProbedSet, probe: (probed: ProbedSet) => Promise<void>): Promise<boolean> {
  const count = PROBES_PER_FAILURE + Math.min(set.changes.length, CHANGES_PROBED_MAX);
  const probes = Array.from({ length: count }, () => set);
  return isAnswered(() => forEachBounded(probes, PROBES_AT_ONCE_MAX, probe));
}

/** Says whether no set is to blame, however many are taken beside it. */
function isNoSets(error: unknown): boolean {
  return error instanceof AppError && NO_SETS.has(error.code);
}

const NO_SETS: ReadonlySet<AppErrorCode> = new Set(['TABLE_THROTTLED', 'CLOCK_AHEAD']);

function unstorable(set: ProbedSet, error: unknown): TerminalError {
  const code = error instanceof AppError ? error.code : 'an unexpected error';
  return new TerminalError(
    'ENTITY_UNSTORABLE',
    `The store took others and failed ${ISOLATED_FAILURES_MAX} times for this one alone (${code}). Mend ` +
      'what it does not take, or resubmit the message once it does.',
    { cause: error, details: { entityIds: set.changes.map(({ entityId }) => entityId) } },
  );
}

/** Is a message that the store does not take, although it takes others: it is settled later, on its own. */
export interface IsolatedMessage {
  readonly kind: 'isolated';
  /** Counts what of it is in memory until then; undefined where that is what the message inflates to. */
  readonly bytes?: number;
  readonly settlement: () => Promise<Settlement>;
}

/** Is something in a message that failed alone, and how to try it again. */
export interface Trial {
  readonly set: ProbedSet;
  readonly error: unknown;
  readonly attempt: () => Promise<TerminalError | undefined>;
}

export interface IsolationContext {
  readonly message: InboundMessage;
  readonly probe?: ((set: ProbedSet) => Promise<void>) | undefined;
  readonly rounds?: { hurry(): void } | undefined;
  readonly notices?: Pick<Notices, 'note'> | undefined;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly signal: AbortSignal;
  readonly onOutage?: ((error: AppError, attempt: number, retryInMs: number) => void) | undefined;
}

/** Has what failed alone tried again later, and settles its message once all of that is over. */
export function isolate(
  trials: readonly Trial[],
  { known, count }: { readonly known: readonly FailedSet[]; readonly count: number },
  context: IsolationContext,
): IsolatedMessage {
  const settlement = async (): Promise<Settlement> => {
    const tried = await tryApart(trials, context);
    return tried === 'stopped'
      ? { kind: 'abandon' }
      : settlementOfSets([...known, ...tried], count);
  };
  return { kind: 'isolated', settlement };
}

/** Resolves with why those of them that never can be applied cannot. */
async function tryApart(
  trials: readonly Trial[],
  { message, notices, probe, rounds, clock, randomness, signal, onOutage }: IsolationContext,
): Promise<readonly FailedSet[] | 'stopped'> {
  const failed: FailedSet[] = [];
  for (const { set, error, attempt } of trials) {
    const ids = set.changes.map(({ entityId }) => entityId).join(', ');
    const fault = await retryIsolated(error, {
      set,
      attempt,
      clock,
      randomness,
      signal,
      probe: async (probed) => probe?.(probed),
      hurry: () => rounds?.hurry(),
      onFailed: (cause) => {
        const code = cause instanceof AppError ? cause.code : 'an unexpected error';
        const subject = `message ${message.sequenceNumber}`;
        notices?.note('message-isolated', subject, `${code} for ${set.entityKind} ${ids}`);
      },
      onOutage,
    });
    if (fault === 'stopped') return 'stopped';
    if (fault !== undefined) failed.push({ error: fault });
  }
  return failed;
}
