import { UsageError } from '../exit-codes.ts';
import { escapeValue } from '../report/escape-text.ts';
import type { Session } from '../session.ts';

export interface Confirmation {
  /** Whose name is to be typed. */
  readonly region: string;
  /** What the command is about to do: `delete 916 customers`. */
  readonly what: string;
  /** What `--confirm` says. */
  readonly given: string | undefined;
}

/**
 * Has whoever deletes say where, so that no command of yesterday deletes in the wrong region today: by
 * `--confirm`, else on the terminal. Throws `UsageError` unless the name is that of the region.
 */
export async function requireConfirmation(
  { io }: Pick<Session, 'io'>,
  { region, what, given }: Confirmation,
): Promise<void> {
  const question = `This would ${what}. Type the name of the region, ${region}, to go on: `;
  const typed = given ?? (await io.ask?.(escapeValue(question), io.signal));
  if (typed?.trim() === region) return;
  throw new UsageError(
    `This would ${what}. Nothing was done: confirm it with --confirm ${region}.`,
  );
}
