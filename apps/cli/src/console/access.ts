/**
 * Who may use the console where no identity provider stands before it: whoever can read the terminal that it was
 * started in. A link carries a code in its fragment, which browsers send to nobody; the page posts it, once, for a
 * cookie. After that the code is worth nothing, and the terminal shows the next.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@tandem/core';

/** A browser that was let in. */
export interface Visitor {
  /** Whom the audit names. */
  readonly person: string;
  /** Every form of a page carries it back: a page of another site cannot know it. */
  readonly formToken: string;
}

export interface Access {
  /** Returns the code that opens the console once. */
  code(): string;
  /** Returns the value of the cookie of a new visitor; undefined for a code that is not the present one. */
  enter(code: string): string | undefined;
  /** Returns who has this cookie; undefined for nobody, and for one who was away for too long. */
  find(cookie: string | undefined): Visitor | undefined;
  leave(cookie: string | undefined): void;
}

const SECRET_BYTES = 32;
/** A browser that asks nothing for so long has to take a new link. */
const IDLE_MS_MAX = 12 * 3_600_000;
/** The one that was silent for longest goes first. */
const VISITORS_MAX = 50;

export function createAccess({
  clock,
  person,
  onEntered,
}: {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly person: string;
  /** Told when a code was used up, so that whoever sits at the terminal sees it, and the next. */
  readonly onEntered: () => void;
}): Access {
  let code = secret();
  const visitors = new Map<string, Visitor & { readonly seenMs: number }>();
  return {
    code: () => code,
    enter(given) {
      if (!isSame(given, code)) return undefined;
      code = secret();
      const [oldest] = visitors.keys();
      if (visitors.size >= VISITORS_MAX && oldest !== undefined) visitors.delete(oldest);
      const cookie = secret();
      visitors.set(digestOf(cookie), { person, formToken: secret(), seenMs: clock.nowMs() });
      onEntered();
      return cookie;
    },
    find(cookie) {
      if (cookie === undefined) return undefined;
      const key = digestOf(cookie);
      const visitor = visitors.get(key);
      visitors.delete(key);
      if (visitor === undefined || clock.nowMs() - visitor.seenMs > IDLE_MS_MAX) return undefined;
      // Put at the end again, so that the first is the one that was silent for longest.
      visitors.set(key, { ...visitor, seenMs: clock.nowMs() });
      return visitor;
    },
    leave: (cookie) => void (cookie !== undefined && visitors.delete(digestOf(cookie))),
  };
}

/** Compares without telling by the time it takes how much was right. */
export function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(Buffer.from(digestOf(given)), Buffer.from(digestOf(expected)));
}

function secret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
