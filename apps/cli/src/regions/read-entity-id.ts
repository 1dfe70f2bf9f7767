import type { EntityKind } from '@tandem/core';
import { UsageError } from '../usage-error.ts';

/** The id as the kind spells it, of a text as people paste it. Throws `UsageError` for what is none. */
export function readEntityId({ name, isEntityId }: EntityKind, text: string): string {
  const found = [text, text.toLowerCase()].find(isEntityId);
  if (found !== undefined) return found;
  throw new UsageError(`"${text}" is no id of ${name}.`);
}
