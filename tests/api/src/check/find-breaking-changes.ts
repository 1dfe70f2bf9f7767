import { runTool } from '../run/run-tool.ts';
import { TOOLS_FOLDER } from './lint-document.ts';

interface Change {
  readonly path: string;
  readonly impact: 'major' | 'minor' | 'patch';
  readonly verdicts: readonly Verdict[];
}

interface Verdict {
  readonly message: string;
  readonly ruleId: string;
  readonly location: { readonly pointer: string };
}

/**
 * Where a new value breaks nobody: clients are told to take a problem that they do not know by its
 * status, and a reason that they do not know as one more.
 */
const OPEN_ENUMS = [
  '#/components/schemas/Problem/properties/type/enum',
  '#/components/schemas/Ready/properties/reasons/items/properties/kind/enum',
];

/** What a client of the older document could trip over in the newer one, a sentence each. */
export async function findBreakingChanges(older: string, newer: string): Promise<string[]> {
  const args = ['diff', older, newer, '--format', 'json'];
  const { stdout, stderr } = await runTool('redocly', { folder: TOOLS_FOLDER, args });
  if (!stdout.trimStart().startsWith('{')) throw new Error(`redocly: ${stderr}${stdout}`);
  const { changes } = JSON.parse(stdout) as { changes: Change[] };
  return changes
    .filter(({ impact, verdicts }) => impact === 'major' && !verdicts.every(isExpected))
    .map(({ path, verdicts }) => {
      const reasons = verdicts.map(({ message, ruleId }) => `${message} (${ruleId})`);
      return `${readable(path)}: ${reasons.join(' ')}`;
    });
}

function isExpected({ ruleId, location }: Verdict): boolean {
  return ruleId === 'enum-values-added' && OPEN_ENUMS.includes(location.pointer);
}

function readable(pointer: string): string {
  return pointer.replace(/^#\//, '').replaceAll('~1', '/');
}
