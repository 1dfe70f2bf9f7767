// The files of a new project but its manifest, by path. They are compiled, run and tested as a stranger has them, by the
// test of the packed packages.

const NOTES = `// The table of this project: every region has it, and an edit of one field leaves the others alone.
import { defineEntityKind, edm } from '@tandem/core';
import { Type } from 'typebox';

export const notes = defineEntityKind({
  name: 'Notes',
  schema: Type.Object({ text: edm.string({ maxLength: 1_000 }), done: edm.boolean() }),
});
`;

const LOCAL = `// Two regions on this machine: for each a storage account (Azurite) and a Service Bus namespace (an emulator). In Azure the
// connection strings are those of your accounts, and each region is a process of its own.
import { openRegion, type Region } from '@tandem/region';
import { createLogger } from '@tandem/service-kit';
import { createEmulator, type Emulator } from '@tandem/servicebus-emulator';
import { type Azurite, startAzurite } from '@tandem/storage/testing';
import { notes } from './notes.ts';

export type NotesRegion = Region<{ readonly notes: typeof notes }>;

export interface LocalRegions {
  readonly east: NotesRegion;
  readonly west: NotesRegion;
  stop(): Promise<void>;
}

interface Place {
  readonly azurite: Azurite;
  readonly emulator: Emulator;
}

async function createPlace(): Promise<Place> {
  return { azurite: await startAzurite(), emulator: await createEmulator() };
}

function open(region: string, own: Place, peer: string, other: Place): Promise<NotesRegion> {
  return openRegion({
    region,
    store: own.azurite.connectionString,
    tables: { notes },
    replicate: true,
    logger: createLogger({ service: 'notes', region, level: 'error' }),
    environment: {
      SERVICE_BUS_CONNECTION: own.emulator.connectionString,
      SERVICE_BUS_ADMINISTRATION_CONNECTION: own.emulator.adminConnectionString,
      PEER_REGION: peer,
      REDUNDANCY_SERVICE_BUS_CONNECTION: other.emulator.connectionString,
    },
  });
}

export async function startLocalRegions(): Promise<LocalRegions> {
  const [east, west] = await Promise.all([createPlace(), createPlace()]);
  const regions = await Promise.all([
    open('east', east, 'west', west),
    open('west', west, 'east', east),
  ]);
  return {
    east: regions[0],
    west: regions[1],
    async stop() {
      await Promise.all(regions.map((region) => region.stop()));
      await Promise.all(
        [east, west].flatMap(({ azurite, emulator }) => [azurite.stop(), emulator.close()]),
      );
    },
  };
}

/** Asks again until there is an answer, as a client does who is told that a region does not have it yet. */
export async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const found = await look().catch((error: unknown) => {
      if (Date.now() > deadline) throw error;
      return undefined;
    });
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error('It has not come within a minute.');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
`;

const MAIN = `import { startLocalRegions, until } from './local.ts';

const regions = await startLocalRegions();

const writer = regions.east.session();
await writer.tables.notes.put('milk', { text: 'Buy milk', done: false });
console.log('east: written');

// The reader carries what the writer has seen, so west answers with it or says that it does not have it yet.
const reader = regions.west.session({ token: writer.token() });
const note = await until(() => reader.tables.notes.get('milk'));
console.log('west:', note.entity);

await regions.stop();
// The client of Service Bus holds a timer for two minutes.
process.exit();
`;

const TEST = `import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalRegions, startLocalRegions, until } from '../src/local.ts';

let regions: LocalRegions;

beforeAll(async () => {
  regions = await startLocalRegions();
}, 180_000);

afterAll(() => regions?.stop(), 60_000);

test('what is written in east is read in west', async () => {
  await regions.east.tables.notes.put('milk', { text: 'Buy milk', done: false });
  const note = await until(() => regions.west.tables.notes.get('milk'));
  expect(note.entity).toEqual({ text: 'Buy milk', done: false });
}, 120_000);

test('edits of two fields, made in both regions at once, both survive', async () => {
  const { east, west } = regions;
  await east.tables.notes.put('tea', { text: 'Buy tea', done: false });
  await until(() => west.tables.notes.get('tea'));
  await Promise.all([
    east.tables.notes.patch('tea', { text: 'Buy green tea' }),
    west.tables.notes.patch('tea', { done: true }),
  ]);
  for (const region of [east, west]) {
    const merged = await until(async () => {
      const note = await region.tables.notes.get('tea');
      return note?.entity.done === true && note.entity.text === 'Buy green tea' ? note : undefined;
    });
    expect(merged.entity).toEqual({ text: 'Buy green tea', done: true });
  }
}, 120_000);
`;

const TSCONFIG = `${JSON.stringify(
  {
    compilerOptions: {
      noEmit: true,
      strict: true,
      target: 'es2024',
      module: 'nodenext',
      types: ['node'],
      allowImportingTsExtensions: true,
      erasableSyntaxOnly: true,
      verbatimModuleSyntax: true,
      skipLibCheck: true,
    },
    include: ['src', 'test'],
  },
  undefined,
  2,
)}\n`;

const README = `# Notes in two regions

\`\`\`sh
npm start       # writes a note in east and reads it in west
npm test        # the same as a test, and edits of both regions at once
npm run types   # the compiler
\`\`\`

\`src/notes.ts\` is the table, \`src/local.ts\` what stands in for Azure here. What \`openRegion\` takes and promises is in the README of
\`@tandem/region\` (\`node_modules/@tandem/region/README.md\`).
`;

export const PROJECT_FILES: Readonly<Record<string, string>> = {
  'README.md': README,
  'tsconfig.json': TSCONFIG,
  '.gitignore': 'node_modules\n',
  'src/notes.ts': NOTES,
  'src/local.ts': LOCAL,
  'src/main.ts': MAIN,
  'test/notes.test.ts': TEST,
};
