import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { applyEdit } from './apply-edit.ts';
import type { Mutant } from './mutant.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** What is loaded from now on has the mutant's edits. Only for a process of its own. */
export function installMutant({ edits }: Mutant): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const own = url.startsWith('file:')
        ? edits.filter(({ file }) => fileURLToPath(url) === `${ROOT}${file}`)
        : [];
      if (own.length === 0) return loaded;
      const text = own.reduce(applyEdit, textOf(loaded.source));
      return { ...loaded, source: text };
    },
  });
}

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray | undefined | null): string {
  if (typeof source === 'string') return source;
  return Buffer.from((source ?? '') as Uint8Array).toString('utf8');
}
