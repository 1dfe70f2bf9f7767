import type {
  DeadLetterReplacement,
  DeadLetterReplacements,
  DeadLetterVerdict,
} from '../ports/queue-viewer.ts';

/** The dead letters of a queue, as one session of a client holds them. */
export interface DeadLetterLink<Letter> {
  /** Locks further ones, none when there are none; what is held does not come again. */
  receive(): Promise<readonly Letter[]>;
  numberOf(letter: Letter): bigint;
  /** Puts a copy into the queue itself, or what stands for the letter. */
  send(letter: Letter, instead?: DeadLetterReplacement): Promise<void>;
  complete(letter: Letter): Promise<void>;
  /** Their locks end by themselves where this fails, so it does not throw. */
  giveBack(letters: readonly Letter[]): Promise<void>;
}

/** Held locked while the ones that are asked for are looked for. */
const HELD_MAX = 5_000;

/**
 * Receives until those that are wanted are found, and settles them batch by batch, while their locks are
 * young. The others are held so that they do not come again; a lock of theirs that ends costs a
 * repetition. What is resubmitted, or stands for a letter, is sent before the letter is completed, so it may
 * come twice and is never lost.
 * Resolves with the numbers of those that were settled.
 */
export async function settleDeadLetters<Letter>(
  link: DeadLetterLink<Letter>,
  wanted: ReadonlySet<bigint>,
  verdict: DeadLetterVerdict | DeadLetterReplacements,
): Promise<ReadonlySet<bigint>> {
  const settled = new Set<bigint>();
  const others: Letter[] = [];
  try {
    while (settled.size < wanted.size && others.length < HELD_MAX) {
      const batch = await link.receive();
      if (batch.length === 0) break;
      const taken = batch.filter((one) => wanted.has(link.numberOf(one)));
      others.push(...batch.filter((one) => !taken.includes(one)));
      for (const one of taken) await sendFor(link, one, verdict);
      for (const one of taken) {
        await link.complete(one);
        settled.add(link.numberOf(one));
      }
    }
  } finally {
    await link.giveBack(others);
  }
  return settled;
}

async function sendFor<Letter>(
  link: DeadLetterLink<Letter>,
  letter: Letter,
  verdict: DeadLetterVerdict | DeadLetterReplacements,
): Promise<void> {
  if (verdict === 'discard') return;
  if (verdict === 'resubmit') return link.send(letter);
  for (const one of verdict.get(link.numberOf(letter)) ?? []) await link.send(letter, one);
}
