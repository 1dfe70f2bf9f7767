import { writeFileSync } from 'node:fs';
import { documentedFolders, renderApiReference } from './api-reference.ts';
import { ROOT } from './guarantees-page.ts';

for (const folder of documentedFolders()) {
  writeFileSync(`${ROOT}/packages/${folder}/API.md`, renderApiReference(folder));
}
