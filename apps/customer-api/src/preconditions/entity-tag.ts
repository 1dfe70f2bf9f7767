import { encodeVector, type VersionVector } from '@tandem/core';

export interface EntityTag {
  readonly value: string;
  readonly isWeak: boolean;
}

export type EntityTags =
  | { readonly kind: 'any' }
  | { readonly kind: 'list'; readonly tags: readonly EntityTag[] };

/** A strong tag: two records with the same one are equal, byte for byte, in every region. */
export function formatEntityTag(version: VersionVector): string {
  return `"${encodeVector(version)}"`;
}

const TAGS_MAX = 50;
/** Matches one element of a list, with the comma before it; RFC 9110 lets elements be empty. */
const ELEMENT = /[ \t]*(?:(?<weak>W\/)?"(?<value>[\x21\x23-\x7e\x80-\xff]*)")?[ \t]*(?:,|$)/y;

/**
 * The value of If-Match or If-None-Match (RFC 9110, 13.1): `*` or a list of entity tags. Undefined
 * for anything else, and for a list that is empty or longer than 50.
 */
export function parseEntityTags(header: string): EntityTags | undefined {
  if (header.trim() === '*') return { kind: 'any' };
  const tags: EntityTag[] = [];
  let position = 0;
  while (position < header.length) {
    ELEMENT.lastIndex = position;
    const match = ELEMENT.exec(header);
    if (match === null) return undefined;
    const { weak, value } = match.groups ?? {};
    if (value !== undefined) tags.push({ value, isWeak: weak !== undefined });
    if (tags.length > TAGS_MAX) return undefined;
    position = ELEMENT.lastIndex;
  }
  return tags.length === 0 ? undefined : { kind: 'list', tags };
}
