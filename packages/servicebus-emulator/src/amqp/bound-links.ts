import type { Connection, Session } from 'rhea';
import { ProtocolError } from './rhea-internals.ts';

/**
 * Bounds how many sessions a connection has and how many links a session: rhea looks at all of them
 * for every frame that it writes, so that one peer with thousands could hold up every other. The
 * limits are announced, and a peer that goes beyond them loses its connection (AMQP 1.0, 2.7.1, 2.7.2).
 */

/** The greatest number of a channel, as the service announces it. */
export const CHANNEL_MAX = 4_999;
/** The greatest handle of a link, as the service announces it. */
const HANDLE_MAX = 255;

interface AttachFrame {
  readonly performative: { readonly handle: number };
}

interface SessionInternals {
  readonly local: { readonly begin: { handle_max: number } };
  on_attach(frame: AttachFrame): void;
}

interface ConnectionInternals {
  readonly local_channel_map: Readonly<Record<string, unknown>>;
}

/** Call it when the session opens. */
export function boundLinks(session: Session): void {
  const internals = session as unknown as SessionInternals;
  const original = internals.on_attach.bind(session);
  internals.local.begin.handle_max = HANDLE_MAX;
  internals.on_attach = (frame) => {
    const { handle } = frame.performative;
    if (handle > HANDLE_MAX) {
      throw new ProtocolError(`The handle ${handle} exceeds ${HANDLE_MAX}: close links first`);
    }
    original(frame);
  };
}

/** Call it when a session has opened. */
export function boundSessions(connection: Connection): void {
  const { local_channel_map } = connection as unknown as ConnectionInternals;
  if (!(CHANNEL_MAX + 1 in local_channel_map)) return;
  throw new ProtocolError(`A connection has at most ${CHANNEL_MAX + 1} sessions: end some first`);
}
