/**
 * Who is in: a browser has a cookie, and the console knows by its digest who that is, for how long, and with which roles.
 *
 * Where no identity provider stands before it, whoever can read the terminal that it was started in may enter, with all
 * roles: a link carries a code in its fragment, which browsers send to nobody; the page posts it, once, for a cookie.
 * After that the code is worth nothing, and the terminal shows the next. Who enters by an identity provider is in
 * `sign-in.ts`.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@tandem/core';

/**
 * What a person may do in the console: `view` sees figures, ids and commands; `operate` asks for values and presses what
 * changes something; `erase` takes away what nobody can bring back. What a button says and what the server asks for are
 * one line of this table, so that they cannot come apart.
 */
export const ROLES = ['view', 'operate', 'erase'] as const;
export type Role = (typeof ROLES)[number];

/** Every form there is, with the role that it takes. */
export const FORM_ROLES = {
  // Shows the values of both sides.
  '/conflicts/show': 'operate',
  '/conflicts/restore': 'operate',
  // Shows the values in the body.
  '/dead-letters/show': 'operate',
  '/dead-letters/resubmit': 'operate',
  '/dead-letters/discard': 'erase',
  '/history': 'view',
  '/history/values': 'operate',
  '/history/replay': 'operate',
  '/recovery/begin': 'operate',
  '/recovery/apply': 'operate',
  '/recovery/again': 'operate',
  '/recovery/cancel': 'operate',
  '/recovery/release': 'operate',
  '/settings/set': 'operate',
  '/settings/unset': 'operate',
  '/tables/delete': 'erase',
  '/tables/restore': 'operate',
  '/tables/thaw': 'operate',
} as const satisfies Readonly<Record<string, Role>>;

export type FormPath = keyof typeof FORM_ROLES;

/** Returns why this visitor may not, in words for a person; undefined for one who may. */
export function findMissingRole(
  { roles }: { readonly roles: ReadonlySet<Role> },
  role: Role,
): string | undefined {
  return roles.has(role) ? undefined : `It takes the role ${role}, which you do not have.`;
}

/** A browser that was let in. */
export interface Visitor {
  /** Whom the audit names. */
  readonly person: string;
  readonly roles: ReadonlySet<Role>;
  /** Every form of a page carries it back: a page of another site cannot know it. */
  readonly formToken: string;
}

export interface Visits {
  /** Returns the value of the cookie of a new visitor, who is out again at `endsMs`, whatever he does. */
  begin(who: Pick<Visitor, 'person' | 'roles'>, endsMs?: number): string;
  /** Returns who has this cookie; undefined for nobody, and for one who was away for too long. */
  find(cookie: string | undefined): Visitor | undefined;
  end(cookie: string | undefined): void;
}

/** Lets in whoever has the newest link. */
export interface LinkAccess {
  readonly kind: 'link';
  readonly visits: Visits;
  /** Returns the code that opens the console once. */
  code(): string;
  /** Returns the value of the cookie of a new visitor; undefined for a code that is not the present one. */
  enter(code: string): string | undefined;
}

const SECRET_BYTES = 32;
/** A browser that asks nothing for so long has to enter anew. */
const IDLE_MS_MAX = 12 * 3_600_000;
/** The one that was silent for longest goes first. */
const VISITORS_MAX = 50;

export interface VisitsOptions {
  /**
   * So many visits of one person; the one that was silent for longest goes first. Whoever signs in again and again puts
   * out himself then, and nobody else.
   */
  readonly ownMax?: number;
}

interface Visit extends Visitor {
  readonly seenMs: number;
  readonly endsMs: number;
}

export function createVisits(
  clock: Pick<Clock, 'nowMs'>,
  { ownMax = VISITORS_MAX }: VisitsOptions = {},
): Visits {
  const visits = new Map<string, Visit>();
  return {
    begin({ person, roles }, endsMs = Number.POSITIVE_INFINITY) {
      const own = [...visits].filter(([, visit]) => visit.person === person);
      for (const [key] of own.slice(0, Math.max(0, own.length - ownMax + 1))) visits.delete(key);
      const [oldest] = visits.keys();
      if (visits.size >= VISITORS_MAX && oldest !== undefined) visits.delete(oldest);
      const cookie = secret();
      const seenMs = clock.nowMs();
      visits.set(digestOf(cookie), { person, roles, formToken: secret(), seenMs, endsMs });
      return cookie;
    },
    find(cookie) {
      if (cookie === undefined) return undefined;
      const key = digestOf(cookie);
      const visit = visits.get(key);
      visits.delete(key);
      const nowMs = clock.nowMs();
      if (visit === undefined || nowMs - visit.seenMs > IDLE_MS_MAX) return undefined;
      if (nowMs >= visit.endsMs) return undefined;
      // Put at the end again, so that the first is the one that was silent for longest.
      visits.set(key, { ...visit, seenMs: nowMs });
      return visit;
    },
    end: (cookie) => void (cookie !== undefined && visits.delete(digestOf(cookie))),
  };
}

export function createLinkAccess({
  clock,
  person,
  onEntered,
}: {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly person: string;
  /** Told when a code was used up, so that whoever sits at the terminal sees it, and the next. */
  readonly onEntered: () => void;
}): LinkAccess {
  let code = secret();
  const visits = createVisits(clock);
  return {
    kind: 'link',
    visits,
    code: () => code,
    enter(given) {
      if (!isSame(given, code)) return undefined;
      code = secret();
      const cookie = visits.begin({ person, roles: new Set(ROLES) });
      onEntered();
      return cookie;
    },
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
