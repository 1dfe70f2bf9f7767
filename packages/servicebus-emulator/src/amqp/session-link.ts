import type { Sender } from 'rhea';
import type { Faults } from '../faults.ts';
import type { Queue } from '../queue/queue.ts';
import type { AcceptOutcome } from '../queue/sessions/queue-sessions.ts';
import {
  internalError,
  sessionCannotBeLocked,
  sessionLockLost,
  sessionNotSupported,
  sessionTimeout,
} from './conditions.ts';
import { openOutgoingLink } from './outgoing-link.ts';
import { type AmqpCondition, holdAttach, types } from './rhea-internals.ts';

export const SESSION_FILTER = 'com.microsoft:session-filter';
const TIMEOUT_PROPERTY = 'com.microsoft:timeout';
const LOCKED_UNTIL_PROPERTY = 'com.microsoft:locked-until-utc';
/** The service waits for a free session this long when the client does not say how long. */
const TIMEOUT_MS_DEFAULT = 60_000;
const TICKS_PER_MS = 10_000n;
const TICKS_AT_EPOCH = 621_355_968_000_000_000n;

/** Times of sessions are counted in steps of 100 ns since the year 1. */
function toTicks(timeMs: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(Math.floor(timeMs)) * TICKS_PER_MS + TICKS_AT_EPOCH);
  return bytes;
}

/** The session that the client's filter names; undefined for the next free one. */
function wantedSession(sender: Sender): string | undefined {
  const filter = (sender.source.filter ?? {}) as Record<string, unknown>;
  const value = filter[SESSION_FILTER];
  // Some clients send the filter as a described value.
  const plain: unknown =
    typeof value === 'object' && value !== null ? (value as { value: unknown }).value : value;
  return typeof plain === 'string' ? plain : undefined;
}

function timeoutOf(sender: Sender): number {
  const value: unknown = (sender.properties as Record<string, unknown> | undefined)?.[
    TIMEOUT_PROPERTY
  ];
  return typeof value === 'number' && value >= 0 ? value : TIMEOUT_MS_DEFAULT;
}

interface SessionLinkOptions {
  readonly queue: Queue;
  readonly faults: Faults;
  readonly onFailure: (error: unknown) => void;
}

function refusalOf(outcome: Exclude<AcceptOutcome, { kind: 'accepted' }>, sender: Sender) {
  return outcome.kind === 'locked'
    ? sessionCannotBeLocked(wantedSession(sender) ?? '')
    : sessionTimeout(timeoutOf(sender));
}

/** Serves the accepted session. Returns how to stop, which gives the session up. */
function serve(
  sender: Sender,
  { session }: Extract<AcceptOutcome, { kind: 'accepted' }>,
  options: SessionLinkOptions,
): () => void {
  const stop = openOutgoingLink(sender, {
    ...options,
    source: session,
    answeredSource: {
      address: sender.source.address,
      filter: { [SESSION_FILTER]: types.wrap_string(session.id) },
    },
    attachFields: {
      properties: { [LOCKED_UNTIL_PROPERTY]: types.wrap_long(toTicks(session.lockedUntilMs())) },
    },
  });
  return () => {
    stop();
    session.release();
  };
}

/**
 * Delivers the messages of one session. The client's attach is answered when the session is locked
 * for it, or with the reason why none is. Returns how to stop.
 */
export function openSessionLink(sender: Sender, options: SessionLinkOptions): () => void {
  const { sessions } = options.queue;
  if (sessions === undefined) {
    sender.close(sessionNotSupported());
    return () => undefined;
  }
  let stop: (() => void) | undefined;
  let stopped = false;
  const refuse = (refusal: AmqpCondition): void => {
    if (stopped) return;
    sender.open();
    sender.close(refusal);
  };
  const accept = async (): Promise<void> => {
    const outcome = await sessions.accept({
      sessionId: wantedSession(sender),
      timeoutMs: timeoutOf(sender),
      lost: () => sender.close(sessionLockLost()),
    });
    if (outcome.kind !== 'accepted') refuse(refusalOf(outcome, sender));
    else if (stopped) outcome.session.release();
    else stop = serve(sender, outcome, options);
  };
  holdAttach(sender);
  accept().catch((error: unknown) => {
    options.onFailure(error);
    refuse(internalError());
  });
  return () => {
    stopped = true;
    stop?.();
  };
}
