import { parseAllDocuments } from 'yaml';

/** One Kubernetes object, as it is sent to the API server. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** Throws for YAML that is malformed or has a key twice, and for what is no object of Kubernetes. */
export function parseManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text, { uniqueKeys: true })
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
