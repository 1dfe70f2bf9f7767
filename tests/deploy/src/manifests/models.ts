// The TypeScript models of Kubernetes and of the operators that are used: precompiled validators for
// enums, required fields and types. They let unknown fields pass.
import type { Manifest } from './manifest.ts';

interface Model {
  validate(): void;
}
type ModelConstructor = new (data: Manifest) => Model;

const CUSTOM_PACKAGES: Readonly<Record<string, string>> = {
  'keda.sh': '@kubernetes-models/keda',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'external-secrets.io': '@kubernetes-models/external-secrets',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

/** True for a kind that an operator brings; its fields are checked by `check-custom-fields.ts`. */
export function isCustom({ apiVersion }: Manifest): boolean {
  return groupOf(apiVersion) in CUSTOM_PACKAGES;
}

/** Where the kind's model and its interface are exported from. */
export function modelSpecifier({ apiVersion, kind }: Manifest): string {
  const group = groupOf(apiVersion);
  return `${CUSTOM_PACKAGES[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`;
}

/** One sentence for each problem. */
export async function checkModel(manifest: Manifest): Promise<string[]> {
  const { apiVersion, kind } = manifest;
  const Constructor = await loadConstructor(manifest);
  if (Constructor === undefined) return [`there is no ${kind} in ${apiVersion}`];
  try {
    new Constructor(manifest).validate();
    return [];
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error.message.split('\n').filter((line) => line.trim() !== '');
  }
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}

async function loadConstructor(manifest: Manifest): Promise<ModelConstructor | undefined> {
  try {
    const module = (await import(modelSpecifier(manifest))) as Record<string, ModelConstructor>;
    return module[manifest.kind];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'ERR_PACKAGE_PATH_NOT_EXPORTED';
    if (isMissing) return undefined;
    throw error;
  }
}
