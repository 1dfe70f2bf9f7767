import { readFileSync, writeFileSync } from 'node:fs';
import { renderConfigurationPage } from './configuration-page.ts';
import { ROOT, withTests } from './guarantees-page.ts';
import { renderLlmsPage } from './llms-page.ts';

writeFileSync(`${ROOT}/docs/configuration.md`, renderConfigurationPage());

const guarantees = `${ROOT}/docs/guarantees.md`;
writeFileSync(guarantees, withTests(readFileSync(guarantees, 'utf8')));

writeFileSync(`${ROOT}/llms.txt`, renderLlmsPage());
