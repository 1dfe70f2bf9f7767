import { readdirSync, readFileSync } from 'node:fs';
import { ROOT } from '../tools/folders.ts';

const FOLDER = `${ROOT}docs/runbooks`;
/** `sh` may need a cluster or Azure; `sh run` is run by the test, as it stands. */
const BLOCK = /^```sh( run)?\n([\s\S]*?)^```$/gm;

export interface RunbookCommand {
  readonly runbook: string;
  readonly text: string;
  readonly runsHere: boolean;
}

export const RUNBOOKS: readonly string[] = readdirSync(FOLDER).sort();

export function readRunbook(name: string): string {
  return readFileSync(`${FOLDER}/${name}`, 'utf8');
}

/** Every command of every runbook, a line each. */
export const COMMANDS: readonly RunbookCommand[] = RUNBOOKS.flatMap((runbook) =>
  [...readRunbook(runbook).matchAll(BLOCK)].flatMap(([, run, lines = '']) =>
    lines
      .split('\n')
      .filter((text) => text.trim() !== '')
      .map((text) => ({ runbook, text, runsHere: run !== undefined })),
  ),
);
