// What each release since the first wrote, read by this one: scripts/keep-release.mjs has kept it.
import { readdirSync, readFileSync } from 'node:fs';
import {
  decodeChangeSet,
  decodeConflict,
  decodeWatermark,
  type Properties,
  readableSetsIn,
} from '@tandem/core';
import { decodeConflictMessage } from '@tandem/core/testing';
import { describe, expect, test } from 'vitest';
import { plainOf, valueOf } from '../testing/kept-form.ts';
import { fromEntityProperties } from './entity-row.ts';
import { fromOpenProperties } from './open-row.ts';

interface Kept {
  readonly bytes: readonly {
    readonly what: string;
    readonly bytes: string;
    readonly says: unknown;
  }[];
  readonly rows: readonly {
    readonly what: string;
    readonly properties: unknown;
    readonly says: unknown;
  }[];
  readonly openId: string;
}

const FOLDER = new URL('../../kept/', import.meta.url);
const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { readonly version: string };

const BYTES: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  'change-set': decodeChangeSet,
  message: readableSetsIn,
  conflict: decodeConflict,
  'conflict-message': decodeConflictMessage,
  watermark: decodeWatermark,
};
const ROWS: Readonly<Record<string, (properties: Properties, kept: Kept) => unknown>> = {
  entity: (properties) => fromEntityProperties(properties),
  open: (properties, { openId }) => fromOpenProperties(properties, openId),
};

test('what this version writes is kept: node scripts/keep-release.mjs', () => {
  expect(readdirSync(FOLDER)).toContain(`${version}.json`);
});

describe.each(readdirSync(FOLDER))('what is kept in %s', (file) => {
  const kept = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Kept;

  test.each(kept.bytes.map((one, index) => ({ ...one, index })))(
    'I12: bytes of a $what still say what they said ($index)',
    ({ what, bytes, says }) => {
      expect(plainOf(BYTES[what]?.(new Uint8Array(Buffer.from(bytes, 'base64'))))).toEqual(says);
    },
  );

  test.each(kept.rows.map((one, index) => ({ ...one, index })))(
    'I12: a row of an $what still says what it said ($index)',
    ({ what, properties, says }) => {
      expect(plainOf(ROWS[what]?.(valueOf(properties) as Properties, kept))).toEqual(says);
    },
  );
});
