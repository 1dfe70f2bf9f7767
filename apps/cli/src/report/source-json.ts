import { formatGeneration, SOURCE_UNREADABLE, type TableGeneration } from '@tandem/core';

/** Tells a program which generation of a table it is and where its rows come from; null where that is here, or cannot be read. */
export function sourceJson({
  name,
  generation,
  source,
}: TableGeneration): Readonly<Record<string, unknown>> {
  return {
    table: name,
    generation: formatGeneration(generation),
    source: source === undefined || source === SOURCE_UNREADABLE ? null : source,
  };
}
