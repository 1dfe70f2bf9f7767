import { AppError } from '@tandem/core';
import type { Config } from '../config.ts';

/** What a person reads when the start has failed; undefined for what no person can mend. */
export function explainFailure(
  error: unknown,
  { listen }: Pick<Config, 'listen'>,
): string | undefined {
  if (error instanceof AppError) return error.message;
  const { host, port } = listen;
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return `Port ${port} on ${host} is taken: set PORT to another one (0 takes any free one).`;
    case 'EACCES':
      return `Port ${port} on ${host} may not be opened: set PORT to one above 1023.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is no address of this machine: set HOST to one (0.0.0.0 takes all).`;
    default:
      return undefined;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
