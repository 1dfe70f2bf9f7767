import type { Sender } from 'rhea';
import { answerDrain, backlogBytesOf, deliveryCountOf } from './rhea-internals.ts';

/** How much may wait for a client that does not read, before it gets no more. */
const BACKLOG_BYTES_MAX = 8 * 1024 * 1024;

/** Counts what was handed to rhea and is not on the wire yet. */
export interface SendCount {
  send(bytes: Buffer, tag: Buffer): void;
  waiting(): number;
  /** True when the client should read before it is sent more. */
  isCongested(): boolean;
  /** Uses up all credit and says so. */
  drain(): void;
}

export function createSendCount(sender: Sender): SendCount {
  let sent = 0;
  let drained = 0;
  /** Of the messages that wait, in their order, and before them of those that are on the wire. */
  let sizes: number[] = [];
  let head = 0;
  let waitingBytes = 0;
  const waiting = (): number => sent - (deliveryCountOf(sender) - drained);
  function forgetWritten(): void {
    const written = sizes.length - waiting();
    while (head < written) {
      waitingBytes -= sizes[head] ?? 0;
      head += 1;
    }
    if (head === sizes.length) [sizes, head] = [[], 0];
  }
  return {
    send(bytes, tag) {
      sent += 1;
      sizes.push(bytes.length);
      waitingBytes += bytes.length;
      sender.send(bytes, tag, 0);
    },
    waiting,
    isCongested() {
      forgetWritten();
      return waitingBytes + backlogBytesOf(sender) > BACKLOG_BYTES_MAX;
    },
    drain() {
      drained += answerDrain(sender);
    },
  };
}
