import { plainBodyOf, type QueuedMessage, readableSetsIn } from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { withQueue } from '../regions/region.ts';
import { escapeValue } from '../report/escape-text.ts';
import { firstRows, textTable, timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

interface MessageOptions {
  readonly region: string;
  readonly apply: boolean;
}

const SHOWN_MAX = 50;
/** The oldest are those that something keeps. */
const LISTED_MAX = 1_000;

export function addMessages({ program, act }: Cli): void {
  const group = program
    .command('messages')
    .description(
      'The messages that wait in the queue of a region: lists, shows, sets one aside. Each takes --region; what ' +
        'moves something takes --apply.',
    );
  const of = 'whose queue';
  act<MessageOptions>(
    group
      .command('list')
      .description('the oldest that wait, be they in hand or not')
      .requiredOption('--region <region>', of),
    list,
  );
  act<MessageOptions>(
    group
      .command('show')
      .argument('<number>', 'the sequence number')
      .description('one of them, with what is in it')
      .requiredOption('--region <region>', of),
    show,
  );
  act<MessageOptions>(
    group
      .command('set-aside')
      .argument('<numbers...>', 'sequence numbers')
      .description(
        'moves them to the dead letters, whole: tandem dead-letters resubmit puts them back. One that the ' +
          'replicator has in hand is not found: it gives up what the store never takes by itself.',
      )
      .requiredOption('--region <region>', of)
      .option('--apply', 'does it', false),
    setAside,
  );
}

async function readWaiting(session: Session, name: string): Promise<readonly QueuedMessage[]> {
  const region = await session.openAsIs(name);
  return withQueue(region, session.io, (queue) => queue.peek('messages', 0n, LISTED_MAX));
}

async function list(session: Session, { region }: MessageOptions): Promise<Outcome> {
  const messages = await readWaiting(session, region);
  const [shown, more] = firstRows(messages, SHOWN_MAX);
  const rows = shown.map((one) => [
    String(one.sequenceNumber),
    timeText(one.enqueuedAtMs),
    one.subject ?? '',
    one.messageId,
    idsOf(one).join(', '),
  ]);
  return {
    text:
      messages.length === 0
        ? `No message waits in ${region}.`
        : textTable(['number', 'since', 'subject', 'message', 'ids'], rows) + more,
    json: { region, count: messages.length, messages: messages.map(messageJson) },
  };
}

async function show(
  session: Session,
  { region }: MessageOptions,
  [number = '']: readonly string[],
): Promise<Outcome> {
  const wanted = toNumber(number);
  const message = (await readWaiting(session, region)).find(
    ({ sequenceNumber }) => sequenceNumber === wanted,
  );
  if (message === undefined) throw new UsageError(`No message ${number} waits in ${region}.`);
  const content = new TextDecoder().decode(plainBodyOf(message.body));
  return {
    text: [`${message.sequenceNumber} ${message.messageId}`, content].map(escapeValue).join('\n'),
    json: { region, ...messageJson(message), content },
  };
}

async function setAside(
  session: Session,
  { region: name, apply }: MessageOptions,
  numbers: readonly string[],
): Promise<Outcome> {
  const wanted = new Set(numbers.map(toNumber));
  const there = (await readWaiting(session, name)).filter(({ sequenceNumber }) =>
    wanted.has(sequenceNumber),
  );
  if (!apply) {
    return {
      text: `${there.length} of ${wanted.size} would be set aside. Run it again with --apply.`,
      json: { region: name, applied: false, chosen: there.map(messageJson) },
    };
  }
  const region = await session.openAsIs(name);
  const found = await withQueue(region, session.io, (queue) => queue.setAside(wanted));
  const missing = [...wanted].filter((number) => !found.has(number)).map(String);
  const note =
    missing.length === 0
      ? ` Put them back with: tandem dead-letters resubmit --region ${name}.`
      : ` Not found, or in the replicator's hand: ${missing.join(', ')}.`;
  return {
    text: `${found.size} of ${wanted.size} were set aside.${note}`,
    json: { region: name, applied: true, setAside: [...found].map(String), missing },
    exitCode: missing.length === 0 ? EXIT.ok : EXIT.finding,
  };
}

function toNumber(text: string): bigint {
  if (/^\d{1,19}$/.test(text)) return BigInt(text);
  throw new UsageError(`"${text}" is no sequence number: tandem messages list shows them.`);
}

function messageJson(message: QueuedMessage): object {
  const { sequenceNumber, messageId, subject, enqueuedAtMs } = message;
  const number = String(sequenceNumber);
  return { number, messageId, subject: subject ?? null, enqueuedAtMs, ids: idsOf(message) };
}

function idsOf({ body, subject }: QueuedMessage): readonly string[] {
  if (subject === 'watermark') return [];
  const ids = readableSetsIn(body).flatMap(({ changes }) => changes.map((one) => one.entityId));
  return [...new Set(ids)];
}
