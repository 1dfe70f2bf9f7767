import type { EventContext, Message, Receiver, Sender } from 'rhea';
import { afterAll, beforeAll } from 'vitest';
import { type ConformanceTarget, useConformanceTarget, waitFor } from '../conformance-target.ts';
import {
  connectRawPeer,
  type LinkOutcome,
  parseConnectionString,
  type RawPeer,
} from '../raw-peer.ts';

/** Sender settle modes. */
export const PRESETTLED = 1;
const UNSETTLED = 0;

export function opened<Link>(outcome: LinkOutcome<Link>): Link {
  if (outcome.kind === 'refused') throw new Error(`${outcome.condition}: ${outcome.description}`);
  return outcome.link;
}

/** Sends one message and resolves to how the broker settled it. */
export async function sendAndSettle(sender: Sender, message: Message | Buffer, format?: number) {
  const settled = new Promise<string>((resolve) => {
    sender.once('accepted', () => resolve('accepted'));
    sender.once('rejected', ({ delivery }: EventContext) => {
      const state = delivery?.remote_state as { error?: { condition?: string } } | undefined;
      resolve(state?.error?.condition ?? 'rejected');
    });
  });
  await waitFor('credit to send', () => (sender.sendable() ? true : undefined));
  sender.send(message, undefined, format);
  return settled;
}

interface Taken {
  readonly link: Receiver;
  readonly contexts: EventContext[];
  readonly bodies: () => unknown[];
}

async function openReceiver(
  peer: RawPeer,
  address: string,
  settleMode: 0 | 1 = UNSETTLED,
): Promise<Taken> {
  const contexts: EventContext[] = [];
  const link = opened(
    await peer.openReceiver({
      source: { address },
      autoaccept: false,
      credit_window: 0,
      snd_settle_mode: settleMode,
    }),
  );
  link.on('message', (context: EventContext) => contexts.push(context));
  return {
    link,
    contexts,
    bodies: () => contexts.map(({ message }) => message?.['body'] as unknown),
  };
}

/** Gives credit for so many messages and waits for them. */
export async function take(taken: Taken, count: number): Promise<EventContext[]> {
  const before = taken.contexts.length;
  taken.link.add_credit(count);
  await waitFor(`${count} messages`, () =>
    taken.contexts.length >= before + count ? true : undefined,
  );
  return taken.contexts.slice(before);
}

interface PlainAmqp {
  readonly target: ConformanceTarget;
  readonly peer: RawPeer;
  /** Makes a new queue with a message of each body, and a link to it. */
  queueWith(...bodies: unknown[]): Promise<{ readonly name: string; readonly sender: Sender }>;
  openReceiver(address: string, settleMode?: 0 | 1): Promise<Taken>;
  /** The first message at the address. */
  firstOf(address: string): Promise<EventContext>;
}

/** A connection of plain rhea to the target, for the tests of one file. */
export function usePlainAmqp(): PlainAmqp {
  const target = useConformanceTarget();
  const peer = {} as RawPeer;
  beforeAll(async () => {
    Object.assign(peer, await connectRawPeer(parseConnectionString(target.connectionString)));
  });
  afterAll(() => peer.close());
  return {
    target,
    peer,
    async queueWith(...bodies) {
      const { name } = await target.newQueue();
      const sender = opened(await peer.openSender({ target: { address: name } }));
      for (const body of bodies) {
        const outcome = await sendAndSettle(sender, { body });
        if (outcome !== 'accepted') throw new Error(`The message was not accepted: ${outcome}`);
      }
      return { name, sender };
    },
    openReceiver: (address, settleMode) => openReceiver(peer, address, settleMode),
    async firstOf(address) {
      const [context] = await take(await openReceiver(peer, address), 1);
      if (context === undefined) throw new Error('Received nothing');
      return context;
    },
  };
}
