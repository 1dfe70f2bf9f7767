import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { LocalClusterError } from '../local-cluster-error.ts';
import { type Cluster, REGIONS_DEFAULT } from './cluster.ts';

/** Marks a folder as one of ours, and says who uses it. */
const RECORD = 'tandem.json';
/** What is kept there are customers, and keys to reach them. */
const OWNER_ONLY = 0o700;
const OWNER_ONLY_FILE = 0o600;

interface DataRecord {
  readonly version: 1;
  /** Names the process whose cluster uses the folder now; null when none does. */
  readonly pid: number | null;
  /** Names the regions whose data is in it; undefined when nobody knows. */
  readonly regions: readonly string[] | undefined;
}

export interface DataFolder {
  readonly path: string;
  readonly logs: string;
  ofRegion(region: string): string;
  /** Lets another cluster use it; a temporary one that is not kept is removed. */
  release(): Promise<void>;
}

/** Creates it in the system's folder for such things. */
export async function createTemporaryFolder(
  regions: readonly string[],
  isKept: boolean,
): Promise<DataFolder> {
  const path = await mkdtemp(join(tmpdir(), 'tandem-'));
  await claim(path, regions);
  const release = async (): Promise<void> => {
    if (isKept) await writeRecord(path, { pid: null, regions });
    else await rm(path, { recursive: true, force: true, maxRetries: 3 });
  };
  return describeFolder(path, release);
}

/**
 * Creates the folder when it is missing. Throws DATA_IN_USE when the cluster of another process
 * uses it, DATA_FOREIGN when it has contents that are not a cluster's, DATA_UNUSABLE when this user may not write in it,
 * OPTIONS_INVALID when they are of other regions than these.
 */
export async function openDataFolder(
  folder: string,
  regions: readonly string[],
): Promise<DataFolder> {
  const path = resolve(folder);
  await orUnusable(path, async () => {
    const record = await checkFolder(path);
    checkSameRegions(path, record?.regions ?? regions, regions);
    await claim(path, regions);
  });
  return describeFolder(path, () => writeRecord(path, { pid: null, regions }));
}

/**
 * A region more would lack what the others had written before it, and one less would be owed
 * everything for ever.
 */
function checkSameRegions(path: string, kept: readonly string[], wanted: readonly string[]): void {
  if (kept.toSorted().join() === wanted.toSorted().join()) return;
  throw new LocalClusterError(
    'OPTIONS_INVALID',
    `The data in ${path} is of the regions ${kept.join(', ')}, not of ${wanted.join(', ')}: ` +
      `start those with --regions ${kept.join(',')}, choose another folder with --data, or delete the data with --fresh.`,
  );
}

/** Removes the folder and all in it; throws as `openDataFolder`. Nothing when there is none. */
export async function removeDataFolder(folder: string): Promise<void> {
  const path = resolve(folder);
  await orUnusable(path, async () => {
    await checkFolder(path);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  });
}

/** No rights, a file system that is read only or takes no folders, a file where a folder would have to be. */
const UNUSABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR']);

async function orUnusable(path: string, use: () => Promise<void>): Promise<void> {
  try {
    await use();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!UNUSABLE.has(code)) throw error;
    throw new LocalClusterError(
      'DATA_UNUSABLE',
      `The folder ${path} cannot be written by this user (${code}): choose another with --data, or give this user the right.`,
      error,
    );
  }
}

/** Resolves to the record of a folder that may be used; undefined when there is nothing in it. */
async function checkFolder(path: string): Promise<DataRecord | undefined> {
  const record = await readRecord(path);
  if (record === undefined) {
    if ((await listFolder(path)).length === 0) return undefined;
    throw new LocalClusterError(
      'DATA_FOREIGN',
      `The folder ${path} has contents that are not of a cluster: choose an empty or a new one.`,
    );
  }
  if (record.pid !== null && record.pid !== process.pid && isAlive(record.pid)) {
    throw new LocalClusterError(
      'DATA_IN_USE',
      `The data in ${path} is used by process ${record.pid}: stop that one, or choose another folder with --data. ` +
        `If process ${record.pid} is something else, remove ${join(path, RECORD)}'s "pid".`,
    );
  }
  return record;
}

async function claim(path: string, regions: readonly string[]): Promise<void> {
  await makeFolder(join(path, 'logs'));
  await closeToOthers(path);
  await writeRecord(path, { pid: process.pid, regions });
}

/**
 * Makes a folder, and those above it that are not there. Node's own way to do so never ends in a file system that takes no folder and
 * says that there is none above it, as /proc and automatic mounts do.
 */
async function makeFolder(folder: string): Promise<void> {
  if (existsSync(folder)) return;
  await makeFolder(dirname(folder));
  try {
    await mkdir(folder, { mode: OWNER_ONLY });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Narrows the folder of an earlier version too. Where that cannot be done it is said, and no reason to fail. */
async function closeToOthers(path: string): Promise<void> {
  try {
    await chmod(path, OWNER_ONLY);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'ENOTSUP') throw error;
    process.emitWarning(
      `Other users of this machine may read the customers in ${path}, which cannot be closed to them (${code}): ` +
        'choose a folder of your own with --data.',
    );
  }
}

function describeFolder(path: string, release: () => Promise<void>): DataFolder {
  return {
    path,
    logs: join(path, 'logs'),
    ofRegion: (region) => join(path, region),
    release,
  };
}

async function writeRecord(path: string, state: Omit<DataRecord, 'version'>): Promise<void> {
  const record: DataRecord = { version: 1, ...state };
  await writeFile(join(path, RECORD), `${JSON.stringify(record)}\n`, {
    mode: OWNER_ONLY_FILE,
  });
}

async function readRecord(path: string): Promise<DataRecord | undefined> {
  const file = join(path, RECORD);
  const text = await readFile(file, 'utf8').catch(missing);
  if (text === undefined) return undefined;
  try {
    const { pid, regions } = JSON.parse(text) as { pid?: unknown; regions?: unknown };
    return {
      version: 1,
      pid: typeof pid === 'number' ? pid : null,
      // Versions that did not record them knew no others.
      regions: Array.isArray(regions) ? regions.map(String) : REGIONS_DEFAULT,
    };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // Cut short when its writer died: the folder is ours, and nobody is known to use it.
    return { version: 1, pid: null, regions: undefined };
  }
}

async function listFolder(path: string): Promise<readonly string[]> {
  return (await readdir(path).catch(missing)) ?? [];
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, under another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Returns what the `tandem` command needs to find the regions: the content of its inventory. */
export function inventoryOf({
  regions,
  trafficManagerUrl,
}: Pick<Cluster, 'regions' | 'trafficManagerUrl'>): {
  readonly version: 1;
  readonly regions: readonly { readonly name: string; readonly [key: string]: string }[];
  readonly trafficManager: string;
} {
  return {
    version: 1,
    regions: regions.map(({ name, addresses }) => ({
      name,
      storage: addresses.tables,
      serviceBus: addresses.broker,
      serviceBusAdministration: addresses.brokerAdmin,
      api: addresses.api,
      replicator: addresses.replicator,
    })),
    trafficManager: trafficManagerUrl,
  };
}
