import {
  type DeadLetterVerdict,
  plainBodyOf,
  type QueuedMessage,
  readableSetsIn,
} from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { readLane, withQueue } from '../regions/region.ts';
import { requireConfirmation } from '../regions/require-confirmation.ts';
import { escapeValue } from '../report/escape-text.ts';
import { firstRows, textTable, timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

interface LetterOptions {
  readonly region: string;
  readonly all: boolean;
  readonly confirm?: string;
  readonly apply: boolean;
}

const SHOWN_MAX = 50;

export function addDeadLetters({ program, act }: Cli): void {
  const group = program
    .command('dead-letters')
    .description(
      'The messages that a region could not apply: lists, shows, resubmits, discards them.',
    );
  act<LetterOptions>(
    group
      .command('list')
      .description('what lies there, oldest first')
      .requiredOption('--region <region>', 'whose queue'),
    list,
  );
  act<LetterOptions>(
    group
      .command('show')
      .argument('<number>', 'the sequence number')
      .description('one of them, with what is in it')
      .requiredOption('--region <region>', 'whose queue'),
    show,
  );
  for (const verdict of ['resubmit', 'discard'] as const) {
    act<LetterOptions>(
      group
        .command(verdict)
        .argument('[numbers...]', 'sequence numbers')
        .description(WHAT[verdict])
        .requiredOption('--region <region>', 'whose queue')
        .option('--all', 'all of them', false)
        .option('--confirm <region>', 'whose, where all are discarded; asked for on a terminal')
        .option('--apply', 'does it', false),
      (session, options, numbers) => settle(session, options, { verdict, numbers }),
    );
  }
}

const WHAT: Readonly<Record<DeadLetterVerdict, string>> = {
  resubmit: 'puts them into the queue again: harmless, however often',
  discard: 'throws them away: tandem repair brings back what was in them from the other regions',
};

async function readLetters(session: Session, name: string): Promise<readonly QueuedMessage[]> {
  const region = await session.openAsIs(name);
  return withQueue(region, session.io, (queue) => readLane(queue, 'dead-letters'));
}

async function list(session: Session, { region }: LetterOptions): Promise<Outcome> {
  const letters = await readLetters(session, region);
  const [shown, more] = firstRows(letters, SHOWN_MAX);
  const rows = shown.map((letter) => [
    String(letter.sequenceNumber),
    timeText(letter.enqueuedAtMs),
    letter.reason ?? '',
    letter.messageId,
    idsOf(letter).join(', '),
  ]);
  return {
    text:
      letters.length === 0
        ? `There are no dead letters in ${region}.`
        : textTable(['number', 'since', 'reason', 'message', 'ids'], rows) + more,
    json: { region, count: letters.length, deadLetters: letters.map(letterJson) },
    exitCode: letters.length === 0 ? EXIT.ok : EXIT.finding,
  };
}

async function show(
  session: Session,
  { region }: LetterOptions,
  [number = '']: readonly string[],
): Promise<Outcome> {
  const wanted = toNumber(number);
  const letters = await readLetters(session, region);
  const letter = letters.find(({ sequenceNumber }) => sequenceNumber === wanted);
  if (letter === undefined) throw new UsageError(`There is no dead letter ${number} in ${region}.`);
  const content = new TextDecoder().decode(plainBodyOf(letter.body));
  return {
    text: [
      `${letter.sequenceNumber} ${letter.messageId}`,
      `${letter.reason ?? ''}: ${letter.description ?? ''}`,
      content,
    ]
      .map(escapeValue)
      .join('\n'),
    json: { region, ...letterJson(letter), content },
  };
}

async function settle(
  session: Session,
  { region: name, all, apply, confirm }: LetterOptions,
  { verdict, numbers }: { verdict: DeadLetterVerdict; numbers: readonly string[] },
): Promise<Outcome> {
  if ((numbers.length === 0) === !all) {
    throw new UsageError('Name sequence numbers, or --all; tandem dead-letters list shows them.');
  }
  const named = new Set(numbers.map(toNumber));
  const letters = await readLetters(session, name);
  const chosen = letters.filter(({ sequenceNumber }) => all || named.has(sequenceNumber));
  const there = new Set(chosen.map(({ sequenceNumber }) => sequenceNumber));
  const missing = [...named].filter((number) => !there.has(number)).map(String);
  const done = verdict === 'resubmit' ? 'resubmitted' : 'discarded';
  if (!apply) {
    return {
      text: `${there.size} would be ${done}. Run it again with --apply.${missingNote(missing)}`,
      json: { region: name, applied: false, chosen: chosen.map(letterJson), missing },
      exitCode: missing.length === 0 ? EXIT.ok : EXIT.finding,
    };
  }
  if (verdict === 'discard' && all && there.size > 0) {
    const what = `discard all of the ${there.size} dead letters of ${name}`;
    await requireConfirmation(session, { region: name, what, given: confirm });
  }
  // Those alone that were there to be seen: what has come since is not thrown away unseen.
  const region = await session.openAsIs(name);
  const settled = await withQueue(region, session.io, (queue) => queue.settle(there, verdict));
  return {
    text: `${settled.size} of ${there.size} were ${done}.${missingNote(missing)}`,
    json: { region: name, applied: true, [done]: [...settled].map(String), missing },
    exitCode: settled.size === there.size && missing.length === 0 ? EXIT.ok : EXIT.finding,
  };
}

function missingNote(missing: readonly string[]): string {
  return missing.length === 0 ? '' : ` Not there: ${missing.join(', ')}.`;
}

function toNumber(text: string): bigint {
  if (/^\d{1,19}$/.test(text)) return BigInt(text);
  throw new UsageError(`"${text}" is no sequence number: tandem dead-letters list shows them.`);
}

function letterJson(letter: QueuedMessage): object {
  const { sequenceNumber, messageId, reason, description, enqueuedAtMs } = letter;
  const number = String(sequenceNumber);
  return { number, messageId, reason, description, enqueuedAtMs, ids: idsOf(letter) };
}

function idsOf({ body }: QueuedMessage): readonly string[] {
  const ids = readableSetsIn(body).flatMap(({ changes }) => changes.map((one) => one.entityId));
  return [...new Set(ids)];
}
