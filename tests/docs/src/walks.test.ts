// The two ways that data takes, as docs/architecture.md lists their files: short, whole, and in the order of the calls.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from './guarantees-page.ts';

const PAGE = readFileSync(`${ROOT}/docs/architecture.md`, 'utf8');

const WALKS = [
  { title: 'From a PUT to its message on the bus', filesMax: 28 },
  { title: 'From a message to its row and the archive', filesMax: 25 },
];

interface Walk {
  readonly files: readonly string[];
  /** Make what the files need, and are no step of it themselves. */
  readonly joiners: readonly string[];
}

/** Returns the files of the list below the heading, in order, and what the text before it says they are joined by. */
function readWalk(page: string, title: string): Walk {
  const [, section = ''] = page.split(`## ${title}\n`);
  const [list = ''] = section.split(/^## /m);
  const [, joined = ''] = /Joined by ([^;]*);/.exec(list) ?? [];
  return {
    files: [...list.matchAll(/^\d+\. `([^`]+)`/gm)].map(([, file = '']) => file),
    joiners: [...joined.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file),
  };
}

const FROM = /(?:import|export)\s+(?:type\s+)?(\*|\{[^}]*\}|[\w*\s{},]+?)\s+from\s+'([^']+)'/g;

interface Import {
  readonly names: readonly string[];
  readonly from: string;
}

function readImports(file: string): readonly Import[] {
  const text = readFileSync(`${ROOT}/${file}`, 'utf8');
  return [...text.matchAll(FROM)].map(([, names = '', from = '']) => ({
    names: [...names.matchAll(/(?:type\s+)?([\w*]+)(?:\s+as\s+\w+)?/g)].map(
      ([, name = '']) => name,
    ),
    from,
  }));
}

/** Returns our file behind a specifier: beside the file, or the entry of one of our packages. */
function resolveModule(from: string, file: string): string | undefined {
  if (from.startsWith('.')) return join(dirname(file), from);
  const [, name, path = ''] = /^@tandem\/([^/]+)(\/.+)?$/.exec(from) ?? [];
  if (name === undefined) return undefined;
  const folder = existsSync(`${ROOT}/packages/${name}`) ? `packages/${name}` : `apps/${name}`;
  const { exports } = JSON.parse(readFileSync(`${ROOT}/${folder}/package.json`, 'utf8')) as {
    exports: Readonly<Record<string, string>>;
  };
  return join(folder, exports[`.${path}`] ?? 'missing');
}

function declares(file: string, name: string): boolean {
  const text = readFileSync(`${ROOT}/${file}`, 'utf8');
  const declaration = `export (?:abstract |async )*(?:class|const|function\\*?|interface|type) ${name}\\b`;
  return new RegExp(declaration).test(text);
}

/** Returns the files in which the names are declared that `file` gives on from others, and `file` itself. */
function declaringFiles(file: string, names: readonly string[]): readonly string[] {
  if (!existsSync(`${ROOT}/${file}`)) return [];
  const given = readImports(file).flatMap((one) => {
    const behind = resolveModule(one.from, file);
    const wanted = one.names.includes('*')
      ? names
      : names.filter((name) => one.names.includes(name));
    return behind === undefined || wanted.length === 0 || !file.endsWith('/index.ts')
      ? []
      : declaringFiles(behind, wanted);
  });
  return [...given.filter((one) => names.some((name) => declares(one, name))), file];
}

/** Returns the files of ours that a file imports from, directly or through the entry of a package. */
function filesImportedBy(file: string): ReadonlySet<string> {
  return new Set(
    readImports(file).flatMap(({ names, from }) => {
      const behind = resolveModule(from, file);
      return behind === undefined ? [] : declaringFiles(behind, names);
    }),
  );
}

const JOINERS_MAX = 3;

/** Returns what is wrong with a list of files, in words; nothing for one that can be walked. */
function findGaps({ files, joiners }: Walk): readonly string[] {
  const joined = joiners.flatMap((file) => [...filesImportedBy(file)]);
  const reached = new Set(joined.length === 0 ? files.slice(0, 1) : joined);
  return files.flatMap((file, index) => {
    if (!existsSync(`${ROOT}/${file}`)) return [`${file} does not exist`];
    const isReached = reached.has(file);
    for (const imported of filesImportedBy(file)) reached.add(imported);
    const gaps = isReached ? [] : [`${file} is imported by no file above it`];
    return files.indexOf(file) === index ? gaps : [...gaps, `${file} stands twice`];
  });
}

describe.each(WALKS)('the walk "$title"', ({ title, filesMax }) => {
  const walk = readWalk(PAGE, title);
  const { files, joiners } = walk;

  test('is listed, and no longer than a reader stands', () => {
    expect(files.length).toBeGreaterThan(10);
    expect(files.length).toBeLessThanOrEqual(filesMax);
    expect(joiners.length).toBeLessThanOrEqual(JOINERS_MAX);
    expect(joiners.filter((file) => files.includes(file))).toEqual([]);
  });

  test('leads from each file to one that it imports', () => {
    expect(findGaps(walk)).toEqual([]);
  });

  test('is one that a missing file, a repeated one or a leap would break', () => {
    const [first = '', second = '', ...others] = files;
    const gapsOf = (changed: readonly string[]): readonly string[] =>
      findGaps({ files: changed, joiners });
    expect(gapsOf([first, 'packages/core/src/no-such-file.ts', second, ...others])).toHaveLength(1);
    expect(gapsOf([first, second, second, ...others])).toEqual([`${second} stands twice`]);
    const leap = ['packages/core/src/time/stamp.ts', 'apps/replicator/src/main.ts'];
    expect(findGaps({ files: leap, joiners: [] })).toEqual([
      'apps/replicator/src/main.ts is imported by no file above it',
    ]);
  });
});
