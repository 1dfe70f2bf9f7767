// Unknown fields in the objects of operators: each object becomes a literal of its interface, and
// the compiler refuses what the interface does not have. One run for all of them: it takes a second.
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CACHE_FOLDER } from '../tools/folders.ts';
import { runTool } from '../tools/run-tool.ts';
import type { Manifest } from './manifest.ts';
import { modelSpecifier } from './models.ts';

const OPTIONS =
  '--ignoreConfig --noEmit --strict --skipLibCheck --pretty false --module nodenext --target es2024 --types node'.split(
    ' ',
  );
const UNKNOWN_FIELD = /'"?([^'"]+)"?' does not exist in type '(\w+)'/;
const DIAGNOSTIC = /object-(\d+)\.ts\(\d+,\d+\): error (TS\d+: .+)$/;

/** For each manifest, in order, one sentence for each problem. */
export async function checkCustomFields(
  manifests: readonly Manifest[],
): Promise<readonly (readonly string[])[]> {
  if (manifests.length === 0) return [];
  const folder = join(CACHE_FOLDER, `objects-${randomUUID()}`);
  mkdirSync(folder, { recursive: true });
  try {
    const files = manifests.map((manifest, index) => {
      const file = join(folder, `object-${index}.ts`);
      writeFileSync(file, literalOf(manifest));
      return file;
    });
    const { stdout, exitCode } = await runTool(process.execPath, [
      compiler(),
      ...OPTIONS,
      ...files,
    ]);
    const problems = manifests.map((): string[] => []);
    for (const line of stdout.split('\n')) {
      const [, index = '', message = ''] = DIAGNOSTIC.exec(line) ?? [];
      if (message !== '') problems[Number(index)]?.push(toSentence(message));
    }
    const isUnderstood = exitCode === 0 || problems.some((found) => found.length > 0);
    if (!isUnderstood) throw new Error(`The compiler failed otherwise: ${stdout}`);
    return problems;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function toSentence(message: string): string {
  const [, field, type] = UNKNOWN_FIELD.exec(message) ?? [];
  return field === undefined ? message : `${field} is not known in ${type}`;
}

function literalOf(manifest: Manifest): string {
  const type = `I${manifest.kind}`;
  const literal = JSON.stringify(manifest, undefined, 2);
  return `import type { ${type} } from '${modelSpecifier(manifest)}';\nexport const object: ${type} = ${literal};\n`;
}

function compiler(): string {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json');
  return join(dirname(manifest), 'bin/tsc');
}
