import type { AcknowledgementLevel, PeersAsked } from '@tandem/region';
import type { FastifyReply } from 'fastify';

/** What a client prefers (RFC 7240). What it does not say, or not well, has its default. */
export interface Preferences {
  /** The level a write is to reach before it is answered. */
  readonly acknowledgement: AcknowledgementLevel;
  /** Whose queues the level `queued` asks for: `ack=queued; peers=any`, or `all` by default. */
  readonly peers: PeersAsked;
  /** What was asked for and there is none of, as it was written; undefined when all is well. */
  readonly unknown: Unknown | undefined;
  /** How long the answer may take for it, or for the least version asked for; in milliseconds. */
  readonly waitMs: number;
}

interface Unknown {
  readonly name: 'ack' | 'peers';
  readonly value: string;
}

const WAIT_MS_DEFAULT = 2_000;
const WAIT_MS_MAX = 10_000;

const LEVELS: readonly string[] = ['local', 'queued'] satisfies AcknowledgementLevel[];
const PEERS: readonly string[] = ['all', 'any'] satisfies PeersAsked[];
const NOTHING_STATED = { acknowledgement: 'local', peers: 'all', unknown: undefined } as const;

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
    const [preference = '', ...parameters] = part.split(';');
    const { name, value } = readPair(preference);
    // Of a preference that is stated twice, the first counts.
    if (name === '' || stated.has(name)) continue;
    stated.set(name, value);
    if (name !== 'ack') continue;
    const peers = parameters.map(readPair).find((parameter) => parameter.name === 'peers');
    if (peers !== undefined) stated.set('ack;peers', peers.value);
  }
  const wait = stated.get('wait') ?? '';
  const level = stated.get('ack');
  const peers = stated.get('ack;peers');
  return {
    acknowledgement: level === 'queued' ? 'queued' : 'local',
    peers: peers === 'any' ? 'any' : 'all',
    unknown: unknownOf('ack', level, LEVELS) ?? unknownOf('peers', peers, PEERS),
    waitMs: WHOLE_SECONDS.test(wait) ? Math.min(Number(wait) * 1_000, WAIT_MS_MAX) : waitMsDefault,
  };
}

function readPair(text: string): { readonly name: string; readonly value: string } {
  const [name = '', value = ''] = text.split('=', 2).map((part) => part.trim());
  return { name: name.toLowerCase(), value: value.replaceAll('"', '') };
}

function unknownOf(
  name: Unknown['name'],
  value: string | undefined,
  known: readonly string[],
): Unknown | undefined {
  return value === undefined || known.includes(value) ? undefined : { name, value };
}

/** What may stand in a header as it came. */
const PLAIN = /^[A-Za-z0-9._-]{1,40}$/;

/** Names the level, or the peers, that were asked for and are none, so that nobody takes the default for it. */
export function nameUnknownLevel(reply: FastifyReply, { unknown }: Preferences): void {
  if (unknown === undefined) return;
  const { name, value } = unknown;
  reply.header('x-tandem-preference-unknown', PLAIN.test(value) ? `${name}=${value}` : name);
}
