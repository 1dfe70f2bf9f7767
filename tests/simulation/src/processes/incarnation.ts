import type { AppError } from '@tandem/core';
import type { FaultInjector } from '../faults/fault-injector.ts';
import type { CallClass, CallFault } from '../faults/fault-kinds.ts';
import type { Draw } from '../world/draw.ts';
import type { Freezer } from '../world/freezer.ts';
import type { Scheduler } from '../world/scheduler.ts';
import type { Sites } from '../world/sites.ts';
import type { Trace } from '../world/trace.ts';
import type { Slot } from './slot.ts';

/** One call of a port, on its way from a process to a service and back. */
interface PortCall<T> {
  /** Which part of the process does what: `write.commit.entity+outbox`. */
  readonly site: string;
  readonly call: CallClass;
  /** What the service does, at the moment when the request arrives there. */
  perform(fault: CallFault | undefined, key: string): Promise<T>;
  /** What the caller is told of a fault. */
  errorOf(fault: CallFault): AppError;
  /** A fault of the surroundings at this moment, such as an account that is down. */
  surroundings?(): CallFault | undefined;
  /** What the call goes to, and how it gets there: each may stand still. */
  readonly freezers: readonly Freezer[];
  /** When the adapter of the product gives up a call that nobody answers. */
  readonly deadlineMs: number;
  /** Added to the way there and back, in milliseconds. */
  extraMs?(): number;
}

/** One life of a process. After a crash nothing reaches it any more, and nothing leaves it. */
export interface Incarnation {
  readonly slot: Slot;
  readonly writer: string;
  readonly isAlive: boolean;
  /** Aborted by the crash. */
  readonly signal: AbortSignal;
  /** Port calls that have not been answered. */
  readonly pendingCount: number;
  call<T>(call: PortCall<T>): Promise<T>;
  sleep(site: string, durationMs: number, signal?: AbortSignal): Promise<void>;
  crash(): void;
}

export interface IncarnationOptions {
  readonly slot: Slot;
  readonly draw: Draw;
  readonly scheduler: Scheduler;
  readonly faults: FaultInjector;
  readonly sites: Sites;
  readonly trace: Trace;
  readonly onCrash: (incarnation: Incarnation) => void;
}

const CRASHED = 'crashed';
const WAY_MS = [1, 6] as const;
const SLOW_MS = [200, 9_000] as const;
/** A refused connection is told at once, a lost answer after a while; most are told soon. */
const TIMEOUT_MS_MAX = 6_000;
const TIMEOUT_POWER = 4;
const LATE_MS = [10, 12_000] as const;
/** Of the requests that were on their way when the process died, the share that still arrives. */
const ARRIVES_AFTER_DEATH = 0.5;
const PICKED_CRASH_RATE = 0.35;

/** Few runs have dead letters that someone settles, and in few a command finds conflicts or gaps in an archive. */
function pickedProbability(point: string): number {
  if (point.includes('.letters.')) return 0.6;
  return /^operator\.forget\.|\.conflict!|\.archive!|\.get\.outbox!/.test(point) ? 0.25 : 0.12;
}

export function createIncarnation(options: IncarnationOptions): Incarnation {
  const { slot, draw, scheduler, faults, sites, trace } = options;
  const death = new AbortController();
  const writer = `${slot.role.charAt(0)}${slot.name.at(-1)}n${slot.starts}`;
  let isAlive = true;
  let pendingCount = 0;

  const crash = (): void => {
    if (!isAlive) return;
    isAlive = false;
    trace.note(`${slot.name} crashed`);
    // With a reason of our own: the default one costs more than the rest of a crash.
    death.abort(CRASHED);
    options.onCrash(incarnation);
  };

  /**
   * A command passes each place of its own once or twice in a run, which chance alone would miss: each seed picks
   * some of them, and kills there once.
   */
  const isPicked = (
    { point, key }: { readonly point: string; readonly key: string },
    phase: 'before' | 'after',
  ): boolean =>
    slot.role === 'operator' &&
    !sites.crashed.has(point) &&
    draw.chance(`picked.${point}`, pickedProbability(point)) &&
    draw.chance(`${key}.picked-${phase}`, PICKED_CRASH_RATE) &&
    faults.admits(`${key}.picked-${phase}`, `crash-${phase}`);

  /** True when the process dies here. */
  const dies = (
    { site, key }: { readonly site: string; readonly key: string },
    phase: 'before' | 'after',
    fault: CallFault | undefined,
  ): boolean => {
    const point = `${slot.role}.${site}!${phase}`;
    sites.see(point);
    if (fault !== `crash-${phase}` && !isPicked({ point, key }, phase)) return false;
    sites.crash(point);
    crash();
    return true;
  };

  const keyOf = (site: string): string => {
    const count = (slot.calls.get(site) ?? 0) + 1;
    slot.calls.set(site, count);
    return `${slot.name}.${site}.${count}`;
  };

  /** Runs `work` in the process: not before a pause is over, and not after its death. */
  const inProcess = (delayMs: number, work: () => void): (() => void) =>
    scheduler.schedule(delayMs, () => {
      if (!isAlive) return;
      if (slot.isPaused) slot.held.push(() => inProcess(0, work));
      else work();
    });

  const call = <T>(port: PortCall<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      if (!isAlive) return;
      const key = keyOf(port.site);
      const fault = faults.faultOf(key, port.call, `${slot.role}.${port.site}`);
      const place = { site: port.site, key };
      if (dies(place, 'before', fault)) return;
      pendingCount += 1;
      const limpMs = (way: string): number =>
        draw.chance(`${way}.limps`, slot.limpShare) ? draw.integer(`${way}.limp`, SLOW_MS) : 0;
      const wayMs = (name: string): number =>
        draw.integer(`${key}.${name}`, WAY_MS) + limpMs(`${key}.${name}`) + (port.extraMs?.() ?? 0);

      const answer = (delayMs: number, settle: () => void, note: string): void => {
        inProcess(delayMs, () => {
          pendingCount -= 1;
          trace.note(`${key} ${note}`);
          if (!dies(place, 'after', fault)) settle();
        });
      };
      const fail = (what: CallFault): void => {
        const isPrompt = what === 'throttled';
        const share = draw.fraction(`${key}.timeout`) ** TIMEOUT_POWER;
        const delayMs = wayMs('back') + (isPrompt ? 0 : share * TIMEOUT_MS_MAX);
        const refuse = (): void => {
          // A process that stood still is told of it late, and then fails who came meanwhile and waits behind it.
          if (isTableCall(port.call)) slot.lastTableFaultMs = scheduler.nowMs();
          reject(port.errorOf(what));
        };
        answer(delayMs, refuse, what);
      };
      const slowMs = fault === 'slow' ? draw.integer(`${key}.slow`, SLOW_MS) : 0;
      const slowThereMs = draw.chance(`${key}.slow-there`, 0.5) ? slowMs : 0;
      // Who waits for it gives up while it is still on its way, and had the fault all the same.
      if (slowThereMs > 0 && isTableCall(port.call)) slot.lastTableFaultMs = scheduler.nowMs();
      const backMs = wayMs('back') + slowMs - slowThereMs;
      const perform = (what: CallFault | undefined, then: typeof answer | undefined): void => {
        port.perform(what, key).then(
          (value) => then?.(backMs, () => resolve(value), what ?? 'ok'),
          (error: Error) => then?.(backMs, () => reject(error), `threw ${error.message}`),
        );
      };

      /** Nothing answers: the request, or its answer, waits until the service goes on, and the caller gives up first. */
      const waitForThaw = (frozen: Freezer): void => {
        let isOver = false;
        const end: typeof answer = (delayMs, settle, note) => {
          if (isOver) return;
          isOver = true;
          answer(delayMs, settle, note);
        };
        const noteFault = (): void => {
          if (isTableCall(port.call)) slot.lastTableFaultMs = scheduler.nowMs();
        };
        noteFault();
        const giveUp = (): void => {
          noteFault();
          reject(port.errorOf(port.call === 'commit' ? 'answer-lost' : 'unavailable'));
        };
        if (!frozen.isEndless) scheduler.schedule(port.deadlineMs, () => end(0, giveUp, 'frozen'));
        if (!draw.chance(`${key}.frozen-there`, 0.5)) {
          perform(undefined, (...answered) => frozen.whenThawed(() => end(...answered)));
          return;
        }
        frozen.whenThawed(() => {
          if (isOver && !draw.chance(`${key}.arrives`, ARRIVES_AFTER_DEATH)) return;
          perform(undefined, end);
        });
      };

      scheduler.schedule(wayMs('there') + slowThereMs, () => {
        if (!isAlive && !draw.chance(`${key}.arrives`, ARRIVES_AFTER_DEATH)) return;
        const frozen = port.freezers.find(({ isFrozen }) => isFrozen);
        if (frozen !== undefined) return waitForThaw(frozen);
        const what = port.surroundings?.() ?? fault;
        if (what !== undefined && isTableCall(port.call)) slot.lastTableFaultMs = scheduler.nowMs();
        switch (what) {
          case 'throttled':
          case 'unavailable':
          case 'unknown-before':
            fail(what);
            return;
          case 'answer-lost':
            perform(what, undefined);
            fail(what);
            return;
          case 'late':
            scheduler.schedule(draw.integer(`${key}.late`, LATE_MS), () =>
              perform(what, undefined),
            );
            fail(what);
            return;
          default:
            perform(what, answer);
        }
      });
    });

  const sleep = (site: string, durationMs: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (!isAlive) return;
      if (signal?.aborted === true || durationMs <= 0) return resolve();
      const place = { site, key: keyOf(site) };
      const fault = faults.faultOf(place.key, 'sleep', `${slot.role}.${site}`);
      if (dies(place, 'before', fault)) return;
      const wake = (): void => {
        signal?.removeEventListener('abort', cancel);
        if (!dies(place, 'after', fault)) resolve();
      };
      const stop = inProcess(durationMs, wake);
      const cancel = (): void => {
        stop();
        resolve();
      };
      signal?.addEventListener('abort', cancel, { once: true });
    });

  const incarnation: Incarnation = {
    slot,
    writer,
    get isAlive() {
      return isAlive;
    },
    signal: death.signal,
    get pendingCount() {
      return pendingCount;
    },
    call,
    sleep,
    crash,
  };
  return incarnation;
}

function isTableCall(call: CallClass): boolean {
  return call === 'read' || call === 'commit';
}
