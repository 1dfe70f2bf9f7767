import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderConfigurationPage } from './configuration-page.ts';

test('docs/configuration.md is what the schemas say', () => {
  const page = new URL('../../../docs/configuration.md', import.meta.url);
  expect(readFileSync(page, 'utf8')).toBe(renderConfigurationPage());
});
