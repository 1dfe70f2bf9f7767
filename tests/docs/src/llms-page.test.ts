import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ROOT } from './guarantees-page.ts';
import { renderLlmsPage } from './llms-page.ts';

test('llms.txt is what is written for the pages: pnpm docs:write', () => {
  expect(readFileSync(`${ROOT}/llms.txt`, 'utf8')).toBe(renderLlmsPage());
});

test('llms.txt leads to every page, and says something of each', () => {
  const lines = [...renderLlmsPage().matchAll(/^- \[[^\]]+\]\(([^)]+)\): (.*)$/gmu)];
  const pages = globSync(
    ['*.md', 'docs/*.md', 'docs/runbooks/*.md', 'packages/*/{API,README}.md'],
    {
      cwd: ROOT,
    },
  );
  const paths = lines.map(([, path = '']) => path).filter((path) => path !== 'docs/adr');
  expect(paths.toSorted()).toEqual(pages.toSorted());
  for (const [, path, says = ''] of lines) expect(says.length, path).toBeGreaterThan(20);
});
