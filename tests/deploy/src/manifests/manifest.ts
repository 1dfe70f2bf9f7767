import { isDeepStrictEqual } from 'node:util';
import { parseAllDocuments } from 'yaml';

/** One Kubernetes object, as it is sent to the API server. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/**
 * Throws for YAML that is malformed or has a key twice, for what is no object of Kubernetes, and for text that the two
 * versions of YAML read differently: the API server takes `no`, `on` and `1_0` for other types, as YAML 1.1 has it.
 */
export function parseManifests(text: string): readonly Manifest[] {
  const manifests = parse(text, '1.2');
  for (const [index, old] of parse(text, '1.1').entries()) {
    const manifest = manifests[index];
    if (isDeepStrictEqual(old, manifest)) continue;
    const name = manifest === undefined ? '' : describeManifest(manifest);
    throw new Error(
      `${name} has a text without quotes, which the API server reads as another type.`,
    );
  }
  return manifests;
}

function parse(text: string, version: '1.1' | '1.2'): readonly Manifest[] {
  return parseAllDocuments(text, { uniqueKeys: true, version })
    .map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw error;
      return document.toJS() as unknown;
    })
    .filter((value) => value !== null)
    .map(toManifest);
}

export function describeManifest({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.name}`;
}

function toManifest(value: unknown): Manifest {
  const manifest = value as Partial<Manifest>;
  const isWhole =
    typeof manifest.apiVersion === 'string' &&
    typeof manifest.kind === 'string' &&
    typeof manifest.metadata?.name === 'string';
  if (!isWhole) throw new Error(`No object of Kubernetes: ${JSON.stringify(value).slice(0, 200)}`);
  return manifest as Manifest;
}
