import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const JUDGES = ['checker', 'clients', 'history'];

test('what makes and judges the history imports nothing of the product, not even its types', () => {
  const files = globSync(
    JUDGES.map((folder) => `${folder}/*.ts`),
    { cwd: import.meta.dirname },
  );
  expect(files.length).toBeGreaterThan(10);
  const imports = files.flatMap((file) => {
    const text = readFileSync(join(import.meta.dirname, file), 'utf8');
    return [...text.matchAll(/from '([^']+)'/g)].map(([, from]) => `${file} ${from}`);
  });
  const allowed =
    / (?:node:|\.\/|\.\.\/(?:history|testing|random|unknown-kind|checker)|@azure\/data-tables$|vitest$)/;
  expect(imports.filter((line) => !allowed.test(line))).toEqual([]);
});
