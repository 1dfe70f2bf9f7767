import type { OutboundMessage } from '@tandem/core';
import { fragmentHeadIn } from '../observe/cut-sets.ts';

const UNREADABLE = '{"no": "change"}';
const SETS_MAX = 100;
const PACK = /^\{"wire":2,"lengths":\[([\d,]+)\],"sets":\[/;

/**
 * The message with one change set more in it, which nobody can read, before or behind the others;
 * undefined when it is full, or a fragment. What a pack looks like is written down here once more, so that the
 * shipping code is not asked about itself.
 */
export function spoilMessage(
  { body, ...rest }: OutboundMessage,
  how: { readonly id: string; readonly isFirst: boolean },
): OutboundMessage | undefined {
  // What cannot be read beside it would be all of its message.
  if (fragmentHeadIn(body) !== undefined) return undefined;
  const sets = setsIn(Buffer.from(body));
  if (sets.length >= SETS_MAX) return undefined;
  const spoiled = how.isFirst ? [UNREADABLE, ...sets] : [...sets, UNREADABLE];
  const lengths = spoiled.map((set) => Buffer.byteLength(set));
  const text = `{"wire":2,"lengths":[${lengths.join(',')}],"sets":[${spoiled.join(',')}]}`;
  return {
    ...rest,
    messageId: `${rest.messageId} ${how.id}`,
    body: new TextEncoder().encode(text),
  };
}

function setsIn(body: Buffer): string[] {
  const text = body.toString('utf8');
  const head = PACK.exec(text);
  if (head === null) return [text];
  let at = head[0].length;
  return (head[1] ?? '').split(',').map((length) => {
    const set = body.toString('utf8', at, at + Number(length));
    at += Number(length) + 1;
    return set;
  });
}
