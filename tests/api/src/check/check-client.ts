import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLIENT_FOLDER, CLIENT_SCHEMA_FILE, DOCUMENT_FILE, ROOT } from '../files.ts';
import { runTool } from '../run/run-tool.ts';

/** Whether the types of the client package are those of the document. */
export async function checkClientIsCurrent(document = DOCUMENT_FILE): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-client-'));
  try {
    const output = join(folder, 'schema.ts');
    const args = [document, '--output', output];
    const { exitCode, stderr } = await runTool('openapi-typescript', {
      folder: CLIENT_FOLDER,
      args,
    });
    if (exitCode !== 0) return [`openapi-typescript refused the document: ${stderr}`];
    const [made, kept] = await Promise.all([
      readFile(output, 'utf8'),
      readFile(CLIENT_SCHEMA_FILE, 'utf8'),
    ]);
    if (made === kept) return [];
    return [
      'The client is of another document. Run: pnpm --filter @tandem/customer-client generate',
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether it compiles, for those who use it. */
export async function checkClientBuilds(): Promise<string[]> {
  const args = ['-b', CLIENT_FOLDER];
  const { exitCode, stdout } = await runTool('tsc', { folder: ROOT, args });
  return exitCode === 0 ? [] : stdout.trim().split('\n');
}
