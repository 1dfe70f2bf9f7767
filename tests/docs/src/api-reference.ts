// The public surface of a package, as a stranger's compiler sees it: what each entry exports, with its signature and its
// doc comment. Taken from the declarations that our own compiler writes, whose form is regular enough for a reader of
// lines; the compiler of this repository has no interface to ask.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from './guarantees-page.ts';

/** A longer one is generated, and is compared where it is generated from. */
const SHOWN_LINES_MAX = 150;
/** Only its names are shown. */
const UNSTABLE = './testing';
const DECLARED =
  /^export (?:declare )?(?:abstract )?(?:class|const|enum|function|interface|type) (\w+)/u;
const LISTED = /^export (?:type )?\{([^}]*)\}(?: from '([^']+)')?;$/u;
const ALL = /^export \* from '([^']+)';$/u;

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly publishConfig?: { readonly exports?: Readonly<Record<string, { types: string }>> };
}

const readManifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(`${ROOT}/packages/${folder}/package.json`, 'utf8')) as Manifest;

/** Returns the folders whose packages are made to be published. */
export function documentedFolders(): readonly string[] {
  return readdirSync(`${ROOT}/packages`).filter((folder) => readManifest(folder).private !== true);
}

/** Returns the brackets that a line opens without closing, its strings and comments aside. */
function depthOf(line: string): number {
  const code = line
    .replaceAll(/'[^']*'|"[^"]*"|`[^`]*`|\/\/.*$|\/\*.*?\*\//gu, '')
    .replaceAll('=>', '');
  const count = (brackets: RegExp): number => code.match(brackets)?.length ?? 0;
  return count(/[({[<]/gu) - count(/[)}\]>]/gu);
}

/** Splits declarations into statements, each with the comment that stands before it. */
function statementsOf(text: string): readonly string[] {
  const statements: string[] = [];
  let open: string[] = [];
  let depth = 0;
  let isComment = false;
  for (const line of text.split('\n')) {
    if (line === '' && open.length === 0) continue;
    open.push(line);
    const trimmed = line.trim();
    if (isComment || trimmed.startsWith('/*')) {
      isComment = !trimmed.endsWith('*/');
      continue;
    }
    depth += depthOf(line);
    const head = open.find((one) => /^(?:export|declare|import|interface|type) /u.test(one)) ?? '';
    const isBlock = /\b(?:class|enum|interface|namespace) \w/u.test(head);
    if (depth === 0 && (trimmed.endsWith(';') || (isBlock && trimmed.endsWith('}')))) {
      statements.push(open.join('\n'));
      open = [];
    }
  }
  return statements;
}

const withoutComment = (statement: string): string =>
  statement.replace(/^(?:\s*\/\*[\s\S]*?\*\/\s*)+/u, '');

/** Returns by name what a file of declarations exports, as it is shown. */
function exportsOf(path: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const add = (name: string, shown: string): void => {
    const before = found.get(name);
    found.set(name, before === undefined ? shown : `${before}\n${shown}`);
  };
  for (const statement of statementsOf(readFileSync(path, 'utf8'))) {
    const code = withoutComment(statement);
    const [, declared] = DECLARED.exec(code) ?? [];
    if (declared !== undefined) add(declared, statement);
    const [, everything] = ALL.exec(code) ?? [];
    if (everything !== undefined) {
      for (const [name, shown] of exportsOf(declarationsOf(path, everything))) add(name, shown);
    }
    const [, names = '', from] = LISTED.exec(code) ?? [];
    for (const one of names.split(',').map((text) => text.trim().replace(/^type /u, ''))) {
      if (one === '') continue;
      const [name = '', as = name] = one.split(' as ');
      if (from?.startsWith('.') === true) {
        const shown = exportsOf(declarationsOf(path, from)).get(name);
        if (shown === undefined)
          throw new Error(`${path} exports ${name}, which ${from} does not have.`);
        add(as, shown);
      } else add(as, `export { ${one} }${from === undefined ? '' : ` from '${from}'`};`);
    }
  }
  return found;
}

function declarationsOf(path: string, from: string): string {
  return join(dirname(path), from.replace(/\.[jt]s$/u, '.d.ts'));
}

function shorten(shown: string): string {
  const lines = shown.split('\n');
  if (lines.length <= SHOWN_LINES_MAX) return shown;
  return `${lines[0]}\n    // … ${lines.length - 1} more lines, which are generated.`;
}

/** Returns the page of one package. Its declarations have to be built. */
export function renderApiReference(folder: string): string {
  const { name, publishConfig } = readManifest(folder);
  const entries = Object.entries(publishConfig?.exports ?? {}).map(([entry, { types }]) => {
    const path = `${ROOT}/packages/${folder}/${types}`;
    if (!existsSync(path)) throw new Error(`${path} is not built: run "pnpm exec tsc -b" first.`);
    const shown = [...exportsOf(path)].toSorted(([one], [other]) => (one < other ? -1 : 1));
    const title = `## \`${join(name, entry)}\`\n\n`;
    if (entry === UNSTABLE)
      return `${title}For tests, and free to change: ${shown.map(([one]) => `\`${one}\``).join(', ')}.\n`;
    const blocks = shown.map(([, text]) => shorten(text)).join('\n\n');
    return `${title}\`\`\`ts\n${blocks}\n\`\`\`\n`;
  });
  const says = `What ${name} exports, written by \`pnpm docs:api\`; a test compares. What of it is stable:
[docs/stability.md](../../docs/stability.md). How it is used: [README](README.md).`;
  return `# API of ${name}\n\n${says}\n\n${entries.join('\n')}`;
}
