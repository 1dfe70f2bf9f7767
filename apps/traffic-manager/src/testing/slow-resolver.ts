import { setTimeout as delay } from 'node:timers/promises';
import type { ResolveName } from '../monitoring/profile-monitor.ts';

/** As many as Node has threads for. */
const QUESTIONS_AT_ONCE = 4;
const GONE_ANSWER_MS = 400;

/** Answers few questions at once, as an operating system does, and late for a name that is gone. */
export function createSlowResolver(known: readonly string[]): ResolveName {
  const turns: Promise<unknown>[] = Array.from({ length: QUESTIONS_AT_ONCE }, async () => {});
  let asked = 0;
  return async (hostname) => {
    const lane = asked % QUESTIONS_AT_ONCE;
    asked += 1;
    const isKnown = known.includes(hostname);
    const turn = (turns[lane] ?? Promise.resolve()).then(() => delay(isKnown ? 0 : GONE_ANSWER_MS));
    turns[lane] = turn;
    await turn;
    return isKnown
      ? { kind: 'found', addresses: [{ address: '127.0.0.1', family: 4 }] }
      : { kind: 'failed', error: Object.assign(new Error('gone'), { code: 'ENOTFOUND' }) };
  };
}
