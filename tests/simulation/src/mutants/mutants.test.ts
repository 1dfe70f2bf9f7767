import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { applyEdit } from './apply-edit.ts';
import { MUTANTS } from './mutants.ts';

const ROOT = new URL('../../../../', import.meta.url);
const MUTANTS_MIN = 120;
const RECOVERY_MIN = 30;
const RECOVERY = /^packages\/(core|storage)\/src\/recovery\//;

describe('the mutants', () => {
  test('are enough, and each has a name of its own', () => {
    expect(new Set(MUTANTS.map(({ id }) => id)).size).toBe(MUTANTS.length);
    expect(MUTANTS.length).toBeGreaterThanOrEqual(MUTANTS_MIN);
    const ofRecovery = MUTANTS.filter(({ edits }) =>
      edits.every(({ file }) => RECOVERY.test(file)),
    );
    expect(ofRecovery.length).toBeGreaterThanOrEqual(RECOVERY_MIN);
  });

  test.each(MUTANTS)('$id finds the code that it breaks', ({ edits }) => {
    const texts = new Map<string, string>();
    for (const edit of edits) {
      const text = texts.get(edit.file) ?? readFileSync(new URL(edit.file, ROOT), 'utf8');
      texts.set(edit.file, applyEdit(text, edit));
    }
    expect(texts.size).toBeGreaterThan(0);
  });
});
