import { createHash } from 'node:crypto';
import { assertNever, type DrillAnswer, type DrillClient } from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import { createHttpDrillClient, tokenIn } from '../drill/drill-over-http.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import { readPasted } from '../inventory/inventory.ts';
import { duration, durationText } from '../option-values.ts';
import { escapeValue } from '../report/escape-text.ts';
import { textTable } from '../report/text-table.ts';
import type { Session } from '../session.ts';

interface CanaryOptions {
  readonly within: number;
  readonly as: string;
}

const WITHIN_MS_DEFAULT = 30_000;
/** Who waits longer finds out too late: it is to run every five minutes. */
const WITHIN_MS_MAX = 180_000;
/** A region that is behind waits itself before it says so. */
const AGAIN_MS = 250;
const AS_DEFAULT = 'canary';

export function addCanary({ program, act }: Cli): void {
  const command = program
    .command('canary')
    .description(
      'Do writes get through? Writes a customer of its own in each region by its API, as clients do, and reads it in every region ' +
        'with the version token that the write was answered with.',
    )
    .option(
      '--within <duration>',
      'until when every region must show it',
      duration(1, WITHIN_MS_MAX),
      WITHIN_MS_DEFAULT,
    )
    .option('--as <name>', 'whose customers these are: one for each place it runs in', AS_DEFAULT);
  act<CanaryOptions>(command, canary);
}

/** What became of one write in one region. */
interface Seen {
  readonly writer: string;
  readonly reader: string;
  /** From before the write to the answer; undefined where it was not seen. */
  readonly seenMs: number | undefined;
  readonly problem: string | undefined;
}

interface Place {
  readonly name: string;
  readonly api: string;
}

async function canary(session: Session, { within, as }: CanaryOptions): Promise<Outcome> {
  const places = (await session.inventory()).regions.map(({ name, api }) => {
    if (api !== undefined) return { name, api };
    throw new UsageError(
      `The inventory names no api of ${name}, and the canary asks as clients do: add it.`,
    );
  });
  const token = await findToken(session);
  if (token.kind === 'none') {
    const text = `The identity of this environment gets no access token: ${token.problem}`;
    return { text, json: { problem: token.problem }, exitCode: EXIT.forbidden };
  }
  const found = await Promise.all(
    places.map((writer) => follow(session, { writer, places, token: token.value, within, as })),
  );
  const seen = found.flat();
  const isWell = seen.every(({ problem }) => problem === undefined);
  const rows = seen.map(({ writer, reader, seenMs, problem }) => [
    writer,
    reader,
    problem ?? `${seenMs} ms`,
  ]);
  return {
    text: textTable(['written in', 'read in', 'seen after'], rows),
    json: {
      seen: seen.map((one) => ({
        ...one,
        seenMs: one.seenMs ?? null,
        problem: one.problem ?? null,
      })),
    },
    exitCode: isWell ? EXIT.ok : EXIT.finding,
  };
}

type Token =
  | { readonly kind: 'token'; readonly value: string | undefined }
  | { readonly kind: 'none'; readonly problem: string };

async function findToken({ io }: Session): Promise<Token> {
  const value = tokenIn(io.environment);
  const scope = readPasted(io.environment['TANDEM_TOKEN_SCOPE'] ?? '', 'TANDEM_TOKEN_SCOPE');
  if (value !== undefined || scope === '' || io.readToken === undefined) {
    return { kind: 'token', value };
  }
  try {
    return { kind: 'token', value: await io.readToken(scope) };
  } catch (error) {
    // What the library says besides is a page, of every identity that it tried.
    const what = error instanceof Error ? error.name : 'unknown';
    const problem = `${what} for ${scope}, of TANDEM_TOKEN_SCOPE. Give TANDEM_TOKEN, or the identity a role at the provider.`;
    return { kind: 'none', problem: escapeValue(problem) };
  }
}

interface FollowOptions extends CanaryOptions {
  readonly writer: Place;
  readonly places: readonly Place[];
  readonly token: string | undefined;
}

/** Writes in one region, and looks for it in all. */
async function follow(session: Session, options: FollowOptions): Promise<readonly Seen[]> {
  const { writer, places, token, within, as } = options;
  const { clock, signal } = session.io;
  const startedMs = clock.nowMs();
  const count = Math.trunc(startedMs);
  let why = '';
  const clientOf = ({ api }: Place): DrillClient =>
    createHttpDrillClient({
      front: api,
      customerId: customerIdOf(as, writer.name),
      token,
      onFailed: (told) => {
        why = told;
      },
    });
  const unseen = (problem: string, reader: string): Seen => ({
    writer: writer.name,
    reader,
    seenMs: undefined,
    problem,
  });
  const written = await clientOf(writer).write(count, undefined);
  if (written.kind !== 'answered') {
    return [unseen(`not written: ${written.kind === 'refused' ? 'refused' : why}`, writer.name)];
  }
  if (written.region !== writer.name) {
    return [
      unseen(`${writer.api} is of ${written.region}: mend the inventory or the DNS`, writer.name),
    ];
  }
  const look = async (reader: Place): Promise<Seen> => {
    for (;;) {
      signal.throwIfAborted();
      const answer = await clientOf(reader).read(written.version);
      const nowMs = clock.nowMs();
      const passedMs = Math.round(nowMs - startedMs);
      if (answer.kind === 'answered' && answer.region === reader.name) {
        const problem =
          answer.count < count ? 'STALE: it claims the version and shows less' : undefined;
        return { writer: writer.name, reader: reader.name, seenMs: passedMs, problem };
      }
      if (nowMs - startedMs >= within) {
        return unseen(
          `not within ${durationText(within)}: ${describeAnswer(answer, why)}`,
          reader.name,
        );
      }
      await clock.sleep(AGAIN_MS, signal);
    }
  };
  return Promise.all(places.map(look));
}

function describeAnswer(answer: DrillAnswer, why: string): string {
  switch (answer.kind) {
    case 'answered':
      return `${answer.region} answers in its place`;
    case 'refused':
      return `${answer.region} has not reached the version`;
    case 'failed':
      return why;
    default:
      return assertNever(answer);
  }
}

/** Returns the same for the same place and region, so that there are never more customers of canaries than these. */
function customerIdOf(as: string, region: string): string {
  const digits = createHash('sha256').update(`canary ${as} ${region}`).digest('hex');
  const [a, b, c, d] = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(13, 16),
    digits.slice(17, 20),
  ];
  return `${a}-${b}-8${c}-8${d}-${digits.slice(20, 32)}`;
}
