import type { FastifyReply } from 'fastify';
import type { AcknowledgementLevel } from './acknowledgements.ts';

/** What a client prefers (RFC 7240). What it does not say, or not well, has its default. */
export interface Preferences {
  /** The level a write is to reach before it is answered. */
  readonly acknowledgement: AcknowledgementLevel;
  /** A level asked for that there is none of, as it was written; undefined when all is well. */
  readonly unknownLevel: string | undefined;
  /** How long the answer may take for it, or for the least version asked for; in milliseconds. */
  readonly waitMs: number;
}

const WAIT_MS_DEFAULT = 2_000;
const WAIT_MS_MAX = 10_000;

const LEVELS: readonly string[] = ['local', 'queued'] satisfies AcknowledgementLevel[];
const NOTHING_STATED = { acknowledgement: 'local', unknownLevel: undefined } as const;

const PREFERENCES_LENGTH_MAX = 512;
const WHOLE_SECONDS = /^\d{1,6}$/;

/** Total: preferences that are unknown or malformed are ignored, as the RFC has it; a level is named. */
export function readPreferences(
  header: string | string[] | undefined,
  waitMsDefault: number = WAIT_MS_DEFAULT,
): Preferences {
  if (header === undefined) return { ...NOTHING_STATED, waitMs: waitMsDefault };
  const stated = new Map<string, string>();
  for (const part of String(header).slice(0, PREFERENCES_LENGTH_MAX).split(',')) {
    const [preference = ''] = part.split(';', 1);
    const [name = '', value = ''] = preference.split('=', 2).map((text) => text.trim());
    const key = name.toLowerCase();
    // Of a preference that is stated twice, the first counts.
    if (key !== '' && !stated.has(key)) stated.set(key, value.replaceAll('"', ''));
  }
  const wait = stated.get('wait') ?? '';
  const level = stated.get('ack');
  return {
    acknowledgement: level === 'queued' ? 'queued' : 'local',
    unknownLevel: level === undefined || LEVELS.includes(level) ? undefined : level,
    waitMs: WHOLE_SECONDS.test(wait) ? Math.min(Number(wait) * 1_000, WAIT_MS_MAX) : waitMsDefault,
  };
}

/** What may stand in a header as it came. */
const PLAIN = /^[A-Za-z0-9._-]{1,40}$/;

/** Names the level that was asked for and is none, so that nobody takes `local` for it. */
export function nameUnknownLevel(reply: FastifyReply, { unknownLevel }: Preferences): void {
  if (unknownLevel === undefined) return;
  reply.header(
    'x-tandem-preference-unknown',
    PLAIN.test(unknownLevel) ? `ack=${unknownLevel}` : 'ack',
  );
}
