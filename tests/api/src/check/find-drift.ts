import { readFile } from 'node:fs/promises';
import { DOCUMENT_FILE } from '../files.ts';
import { startMemoryApi } from '../run/start-memory-api.ts';

const REMEDY = 'Run: pnpm --filter @tandem/customer-api openapi, and commit the document.';
const SHOWN_MAX = 10;

/** Where the document that a running process serves differs from the one in the repository. */
export async function findDrift(file = DOCUMENT_FILE): Promise<string[]> {
  const api = await startMemoryApi();
  try {
    const served: unknown = await (await fetch(`${api.url}/openapi.json`)).json();
    const kept: unknown = JSON.parse(await readFile(file, 'utf8'));
    const paths = [...differences(kept, served)].slice(0, SHOWN_MAX);
    return paths.map((path) => `${path || '/'} differs from what the routes say. ${REMEDY}`);
  } finally {
    await api.stop();
  }
}

/** JSON pointers of what differs; an object that lacks a member differs in that member. */
function* differences(left: unknown, right: unknown, path = ''): Generator<string> {
  if (isObject(left) && isObject(right)) {
    for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
      const step = name.replaceAll('~', '~0').replaceAll('/', '~1');
      yield* differences(left[name], right[name], `${path}/${step}`);
    }
  } else if (JSON.stringify(left) !== JSON.stringify(right)) yield path;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
