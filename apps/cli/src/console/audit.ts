/**
 * What was done by way of the console, and by whom: a line of JSON before each act and one after it, so that one that
 * died on the way is there too. It names commands, which carry ids and what a setting is set to, and neither values of
 * rows nor secrets. Where it cannot be written nothing is done.
 */
import { appendFile, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '@tandem/core';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { toJsonLine } from '../report/escape-text.ts';

export interface AuditLine {
  readonly atMs: number;
  readonly person: string;
  /** `looked` is at values that pages hide by themselves; `stopped` is what another may have begun. */
  readonly what: 'begun' | 'ended' | 'looked' | 'stopped';
  /** The command that does the same. */
  readonly command: string;
  readonly exitCode?: number;
}

export interface Audit {
  readonly file: string;
  /** Throws what the disk throws. */
  write(line: Omit<AuditLine, 'atMs'>): Promise<void>;
  /** Reads the newest lines, the newest first. */
  read(): Promise<readonly AuditLine[]>;
}

/** It holds ids of customers. */
const OWNER_ONLY = 0o600;
const OWNER_ONLY_FOLDER = 0o700;
const READ_BYTES_MAX = 256 * 1024;

const checkLine = Compile(
  Type.Object({
    atMs: Type.Integer(),
    person: Type.String(),
    what: Type.Union([
      Type.Literal('begun'),
      Type.Literal('ended'),
      Type.Literal('looked'),
      Type.Literal('stopped'),
    ]),
    command: Type.String(),
    exitCode: Type.Optional(Type.Integer()),
  }),
);

export function createAudit(
  file: string,
  clock: Pick<Clock, 'nowMs'>,
  /** Told each line that was written. */
  onLine?: (line: string) => void,
): Audit {
  return {
    file,
    async write(line) {
      await mkdir(dirname(file), { recursive: true, mode: OWNER_ONLY_FOLDER });
      const text = toJsonLine({ atMs: clock.nowMs(), ...line });
      await appendFile(file, `${text}\n`, { mode: OWNER_ONLY });
      onLine?.(text);
    },
    async read() {
      const lines = (await readEnd(file)).split('\n');
      return lines.flatMap(toLine).toReversed();
    },
  };
}

async function readEnd(file: string): Promise<string> {
  try {
    await using handle = await open(file);
    const { size } = await handle.stat();
    const from = Math.max(0, size - READ_BYTES_MAX);
    const buffer = Buffer.alloc(size - from);
    await handle.read(buffer, 0, buffer.length, from);
    return buffer.toString('utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** One that was cut off, or written by something else, is left out. */
function toLine(text: string): readonly AuditLine[] {
  try {
    const line: unknown = JSON.parse(text);
    return checkLine.Check(line) ? [line] : [];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return [];
  }
}
