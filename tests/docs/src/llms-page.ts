// The table of contents of the documents for a reader that is a program, as https://llmstxt.org has it: each page with its
// first sentence, taken from the page itself.
import { globSync, readFileSync } from 'node:fs';
import { ROOT } from './guarantees-page.ts';

const SECTIONS = [
  {
    title: 'Start here',
    pages: ['README.md', 'docs/library.md', 'docs/claims.md', 'docs/table-endpoint.md'],
  },
  { title: 'Documents', pages: 'docs/*.md' },
  { title: 'Packages', pages: 'packages/*/README.md' },
  { title: 'What each package exports', pages: 'packages/*/API.md' },
  { title: 'Runbooks', pages: 'docs/runbooks/*.md' },
  { title: 'Working on it', pages: ['CONTRIBUTING.md', 'SECURITY.md'] },
];
/** The section that may be left out by who has little room. Their titles are their file names. */
const OPTIONAL =
  '## Optional\n- [Decisions](docs/adr): one page each, named by what was decided.\n';
/** A page may begin with the name of an alert: then what comes after it says more. */
const SAID_LENGTH_MIN = 30;

/** Returns the text of a paragraph as it is read, without marks and links. */
function plain(text: string): string {
  return text
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/gu, '$1')
    .replaceAll(/[*`]/gu, '')
    .replaceAll(/\s+/gu, ' ')
    .trim();
}

/** Returns the title of a page, and the first sentence below it. */
function describePage(path: string): { readonly title: string; readonly says: string } {
  const page = readFileSync(`${ROOT}/${path}`, 'utf8');
  const [, title = path, rest = ''] = /^# ([^\n]+)\n([\s\S]*)$/u.exec(page) ?? [];
  const paragraph =
    rest.split('\n\n').find((part) => /^\s*(?!```)[\p{L}\p{N}*`[]/u.test(part)) ?? '';
  const enough = new RegExp(`^.{${SAID_LENGTH_MIN},}?[.:](?= |$)`, 'u');
  const [says = ''] = enough.exec(plain(paragraph)) ?? [plain(paragraph)];
  return { title: plain(title), says: says.replace(/:$/u, '.') };
}

export function renderLlmsPage(): string {
  const told = new Set<string>();
  const sections = SECTIONS.map(({ title, pages }) => {
    const paths = Array.isArray(pages) ? pages : globSync(pages, { cwd: ROOT }).sort();
    const lines = paths
      .filter((path) => !told.has(path))
      .map((path) => {
        told.add(path);
        const page = describePage(path);
        return `- [${page.title}](${path}): ${page.says}`;
      });
    return `## ${title}\n${lines.join('\n')}\n`;
  });
  const readme = readFileSync(`${ROOT}/README.md`, 'utf8');
  const [, summary = ''] = readme.split('\n\n');
  return `# Tandem\n\n> ${plain(summary)}\n\n${sections.join('\n')}\n${OPTIONAL}`;
}
