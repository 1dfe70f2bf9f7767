import { TerminalError } from '@tandem/core';

/** Where the service says that a query goes on; both values mean something to it only. */
export interface QueryPosition {
  readonly nextPartitionKey: string;
  readonly nextRowKey: string | undefined;
}

export function encodeContinuation(position: QueryPosition): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** Throws `CURSOR_INVALID`. */
export function decodeContinuation(continuation: string | undefined): QueryPosition | undefined {
  if (continuation === undefined) return undefined;
  const position = parse(Buffer.from(continuation, 'base64url').toString());
  if (isPosition(position)) return position;
  const message = 'The continuation was not made by this store. Start from the first page.';
  throw new TerminalError('CURSOR_INVALID', message);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isPosition(value: unknown): value is QueryPosition {
  if (typeof value !== 'object' || value === null) return false;
  const { nextPartitionKey, nextRowKey } = value as Partial<QueryPosition>;
  const isRowKey = nextRowKey === undefined || typeof nextRowKey === 'string';
  return typeof nextPartitionKey === 'string' && isRowKey;
}
