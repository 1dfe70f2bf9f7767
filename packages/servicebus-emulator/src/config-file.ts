import { readQueueDescription } from './admin/queue-description.ts';
import type { NamespaceSeed, QueueSeed } from './create-emulator.ts';

/** How editors and shells mark what they save; what has no mark is UTF-8. */
const ENCODINGS = [
  { label: 'utf-8', mark: [0xef, 0xbb, 0xbf] },
  { label: 'utf-16le', mark: [0xff, 0xfe] },
  { label: 'utf-16be', mark: [0xfe, 0xff] },
] as const;

/** Returns the text of a file without its byte order mark; undefined for what is no text. */
export function decodeText(bytes: Uint8Array): string | undefined {
  const marked = ENCODINGS.find(({ mark }) => mark.every((byte, at) => bytes[at] === byte));
  const { label } = marked ?? ENCODINGS[0];
  try {
    const text = new TextDecoder(label, { fatal: true }).decode(bytes);
    // UTF-16 that does not say so has one in every letter.
    return text.includes('\0') ? undefined : text;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

type ConfigResult =
  /** The first namespace has the queues; the others are named. */
  | {
      readonly kind: 'read';
      readonly queues: readonly QueueSeed[];
      readonly namespaces: readonly NamespaceSeed[];
    }
  | { readonly kind: 'invalid'; readonly problem: string };

type Json = Readonly<Record<string, unknown>>;

const invalid = (problem: string): ConfigResult => ({ kind: 'invalid', problem });

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(map: Json, name: string): readonly unknown[] {
  const value = map[name];
  return Array.isArray(value) ? value : [];
}

function readQueue(entry: unknown): QueueSeed | string {
  if (!isMap(entry) || typeof entry['Name'] !== 'string') return 'A queue has no Name';
  const properties = isMap(entry['Properties']) ? entry['Properties'] : {};
  const fields = Object.entries(properties).map(([name, value]) => [name, String(value)]);
  const read = readQueueDescription(Object.fromEntries(fields) as Record<string, string>);
  if (read.kind === 'refused') return `Queue '${entry['Name']}': ${read.problem}`;
  return { name: entry['Name'], ...read.properties };
}

function readNamespace(entry: Json): NamespaceSeed | string {
  if (typeof entry['Name'] !== 'string') return 'A namespace has no Name';
  if (listOf(entry, 'Topics').length > 0) {
    return 'The emulator has no topics: remove Topics from the file';
  }
  const queues: QueueSeed[] = [];
  for (const item of listOf(entry, 'Queues')) {
    const queue = readQueue(item);
    if (typeof queue === 'string') return queue;
    queues.push(queue);
  }
  return { name: entry['Name'], queues };
}

/** Reads the queues of a Config.json as the official emulator takes it: UserConfig.Namespaces. */
export function readConfigFile(text: string): ConfigResult {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return invalid(`The file is no JSON: ${error.message}`);
    throw error;
  }
  const user = isMap(document) ? document['UserConfig'] : undefined;
  if (!isMap(user)) return invalid('The file has no UserConfig');
  const entries = listOf(user, 'Namespaces').filter(isMap);
  const seeds: NamespaceSeed[] = [];
  for (const entry of entries) {
    const seed = readNamespace(entry);
    if (typeof seed === 'string') return invalid(seed);
    seeds.push(seed);
  }
  const [first, ...namespaces] = seeds;
  if (first === undefined) return invalid('UserConfig.Namespaces must hold a namespace');
  return { kind: 'read', queues: first.queues ?? [], namespaces };
}
