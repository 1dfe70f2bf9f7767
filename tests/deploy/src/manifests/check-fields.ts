// Finds fields that a Kubernetes minor does not know, and values of the wrong type, by the field
// lists that its official client was generated with. Enums and required fields are not in these.
import type { Manifest } from './manifest.ts';

interface Field {
  readonly baseName: string;
  readonly type: string;
}

interface ModelClass {
  getAttributeTypeMap(): readonly Field[];
}

/** The minors whose clients are installed; a field that two of them know, one between knows too. */
export const KUBERNETES_MINORS = ['1.33', '1.34', '1.36'] as const;
export type KubernetesMinor = (typeof KUBERNETES_MINORS)[number];

const DEPTH_MAX = 32;
const LIST = /^Array<(.+)>$/;
const MAP = /^\{ \[key: string\]: (.+); \}$/;
const PRIMITIVES: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  Date: (value) => typeof value === 'string',
  IntOrString: (value) => typeof value === 'string' || Number.isInteger(value),
  object: (value) => typeof value === 'object',
  any: () => true,
};

/** One sentence for each problem. */
export async function checkFields(manifest: Manifest, minor: KubernetesMinor): Promise<string[]> {
  const { apiVersion, kind } = manifest;
  const version = apiVersion.split('/').at(-1) ?? apiVersion;
  const typeName = version.charAt(0).toUpperCase() + version.slice(1) + kind;
  if ((await loadModel(minor, typeName)) === undefined) {
    return [`${apiVersion} ${kind} is not known in ${minor}`];
  }
  return checkValue(manifest, { typeName, path: '', minor, depth: 0 });
}

interface Place {
  readonly typeName: string;
  readonly path: string;
  readonly minor: KubernetesMinor;
  readonly depth: number;
}

async function checkValue(value: unknown, place: Place): Promise<string[]> {
  const { typeName, path, depth } = place;
  if (depth > DEPTH_MAX) return [`${path} lies deeper than ${DEPTH_MAX} fields`];
  const isRight = PRIMITIVES[typeName];
  if (isRight !== undefined) return isRight(value) ? [] : [`${path} must be of type ${typeName}`];
  const listed = LIST.exec(typeName)?.[1];
  if (listed !== undefined) {
    if (!Array.isArray(value)) return [`${path} must be a list`];
    const items = value.map((item, index) => child(item, place, [listed, `[${index}]`]));
    return (await Promise.all(items)).flat();
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [`${path} must be an object`];
  }
  const mapped = MAP.exec(typeName)?.[1];
  if (mapped !== undefined) {
    const entries = Object.entries(value).map(([key, one]) =>
      child(one, place, [mapped, `.${key}`]),
    );
    return (await Promise.all(entries)).flat();
  }
  return checkObject(value, place);
}

async function checkObject(value: object, place: Place): Promise<string[]> {
  const model = await loadModel(place.minor, place.typeName);
  if (model === undefined)
    throw new Error(`The client of ${place.minor} has no ${place.typeName}.`);
  const types = new Map(model.getAttributeTypeMap().map(({ baseName, type }) => [baseName, type]));
  const problems = Object.entries(value).map(async ([key, one]) => {
    const type = types.get(key);
    if (type !== undefined) return child(one, place, [type, `.${key}`]);
    return [`${place.path}.${key} is not known in ${place.minor}`];
  });
  return (await Promise.all(problems)).flat();
}

function child(value: unknown, parent: Place, [typeName, step]: readonly [string, string]) {
  const { path, depth } = parent;
  return checkValue(value, { ...parent, typeName, path: path + step, depth: depth + 1 });
}

/** Undefined when that minor has no such type. */
async function loadModel(
  minor: KubernetesMinor,
  typeName: string,
): Promise<ModelClass | undefined> {
  const path = `kubernetes-${minor.replace('.', '-')}/dist/gen/models/${typeName}.js`;
  try {
    const module = (await import(path)) as Record<string, ModelClass>;
    return module[typeName];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
