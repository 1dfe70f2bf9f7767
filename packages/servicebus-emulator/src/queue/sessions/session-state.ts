import { createChange } from '../queue-change.ts';
import type { QueueCore } from '../queue-core.ts';

/** What applications keep with a session. Each call resolves to false when nobody holds it. */
export async function setSessionState(
  core: QueueCore,
  sessionId: string,
  state: Buffer | undefined,
): Promise<boolean> {
  if (core.sessions?.find(sessionId)?.holder === undefined) return false;
  const change = createChange();
  change.note(core, { kind: 'session-state', name: sessionId }, state);
  await change.commit();
  return true;
}

export async function getSessionState(
  core: QueueCore,
  sessionId: string,
): Promise<{ readonly state: Buffer | undefined } | undefined> {
  if (core.sessions?.find(sessionId)?.holder === undefined) return undefined;
  return { state: await core.store.readNote(core.id, { kind: 'session-state', name: sessionId }) };
}
