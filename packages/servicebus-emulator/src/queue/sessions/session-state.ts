import { createChange } from '../queue-change.ts';
import type { QueueCore } from '../queue-core.ts';
import { decodeTime, encodeTime } from '../seen-messages.ts';

/** What applications keep with a session. Each call resolves to false when nobody holds it. */
export async function setSessionState(
  core: QueueCore,
  sessionId: string,
  state: Buffer | undefined,
): Promise<boolean> {
  if (core.sessions?.find(sessionId)?.holder === undefined) return false;
  const change = createChange();
  const updated = state === undefined ? undefined : encodeTime(core.clock.nowMs());
  change.note(core, { kind: 'session-state', name: sessionId }, state);
  change.note(core, { kind: 'session-updated', name: sessionId }, updated);
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

/** The ids of the sessions whose state was set after the time, in order of id. */
export async function idsUpdatedAfter(core: QueueCore, timeMs: number): Promise<string[]> {
  const notes = await core.store.loadNotes(core.id, 'session-updated');
  const updated = notes.filter(({ value }) => decodeTime(value) > timeMs);
  return updated.map(({ name }) => name).sort();
}
