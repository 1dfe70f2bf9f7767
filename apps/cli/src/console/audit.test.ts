import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createAudit } from './audit.ts';

const folder = mkdtempSync(join(tmpdir(), 'tandem-audit-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('B4: a line stays one for every reader, and commands no terminal', async () => {
  const told: string[] = [];
  const audit = createAudit(join(folder, 'audit.ndjson'), { nowMs: () => 1 }, (line) => {
    told.push(line);
  });
  const line = {
    person: 'ada\u2028\u202Eeve',
    what: 'ended',
    command: 'tandem config set a\u0085b\u009B31m\n',
    exitCode: 0,
  } as const;
  await audit.write(line);
  const text = readFileSync(audit.file, 'utf8');
  expect(text).toBe(`${told.join()}\n`);
  expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(await audit.read()).toEqual([{ atMs: 1, ...line }]);
});
