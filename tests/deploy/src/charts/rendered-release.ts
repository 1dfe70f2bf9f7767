import { type Manifest, parseManifests } from '../manifests/manifest.ts';
import { type RenderOptions, renderChart } from './helm.ts';
import type { Release } from './releases.ts';

/** Only what the tests read of a container. */
interface Container {
  readonly name: string;
  readonly image: string;
  readonly env?: readonly EnvironmentEntry[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
}

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string | number };
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
}

export interface EnvironmentEntry {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } };
}

export interface PodSpec {
  readonly restartPolicy?: string;
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly containers: readonly Container[];
}

/** A pod, or what makes pods. */
export interface Workload {
  readonly kind: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly pod: PodSpec;
}

const rendered = new Map<string, Promise<readonly Manifest[]>>();

/** The same release is rendered once. Throws with helm's words when it cannot be. */
export function renderRelease(
  release: Release,
  options: RenderOptions = {},
): Promise<readonly Manifest[]> {
  const key = JSON.stringify([release, options]);
  const found = rendered.get(key) ?? render(release, options);
  rendered.set(key, found);
  return found;
}

async function render(release: Release, options: RenderOptions): Promise<readonly Manifest[]> {
  const { exitCode, stdout, stderr } = await renderChart(release, options);
  if (exitCode !== 0) throw new Error(stderr);
  return parseManifests(stdout);
}

export function workloadsOf(manifests: readonly Manifest[]): readonly Workload[] {
  return manifests.flatMap((manifest) => {
    const { kind, metadata } = manifest;
    const spec = manifest['spec'] as PodSpec & Templated & { readonly jobTemplate?: JobTemplate };
    if (kind === 'Pod') {
      return [{ kind, name: metadata.name, labels: labelsOf(metadata), pod: spec }];
    }
    const { template } = spec?.jobTemplate?.spec ?? spec ?? {};
    if (template === undefined) return [];
    const labels = labelsOf(template.metadata);
    return [{ kind, name: metadata.name, labels, pod: template.spec }];
  });
}

export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined) throw new Error(`There is no ${kind} ${name}.`);
  return found;
}

interface Templated {
  readonly template?: PodTemplate;
}

/** Of a CronJob. */
interface JobTemplate {
  readonly spec: Templated;
}

interface PodTemplate {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec: PodSpec;
}

function labelsOf(metadata: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return (metadata['labels'] ?? {}) as Readonly<Record<string, string>>;
}
