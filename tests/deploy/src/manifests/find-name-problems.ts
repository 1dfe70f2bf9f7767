// What the API server refuses of names, labels and annotations, and no schema tells: their alphabets and their lengths.
import type { Manifest } from './manifest.ts';

const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_NAME = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const DNS_NAME_LENGTH_MAX = 253;
const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;
const QUALIFIED = /^(?:(?<prefix>[^/]{1,253})\/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
/** Fields whose entries are labels, wherever they stand. */
const LABELLED = new Set(['labels', 'matchLabels', 'nodeSelector']);
/** Fields that name another object, or a host. */
const NAMED = new Set(['secretName', 'serviceAccountName', 'ingressClassName', 'host']);
const DEPTH_MAX = 32;

/** Returns a sentence for each name, label and annotation of a manifest that the API server would refuse. */
export function findNameProblems(manifest: Manifest): readonly string[] {
  const { name, namespace } = manifest.metadata;
  const problems = isName(name) ? [] : [`metadata.name ${name} is no DNS name`];
  if (namespace !== undefined && !(typeof namespace === 'string' && DNS_LABEL.test(namespace)))
    problems.push(`metadata.namespace ${JSON.stringify(namespace)} is no DNS label`);
  return [...problems, ...walk(manifest, '', 0)];
}

function walk(value: unknown, path: string, depth: number): readonly string[] {
  if (depth > DEPTH_MAX) return [`${path} lies deeper than ${DEPTH_MAX} fields`];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([field, one]) => {
    const at = path === '' ? field : `${path}.${field}`;
    if (LABELLED.has(field) && isMap(one)) return pairProblems(one, at, isLabelValue);
    if (field === 'annotations' && isMap(one)) return pairProblems(one, at, isText);
    if (NAMED.has(field) && typeof one !== 'object' && !isName(one))
      return [`${at} ${String(one)} is no DNS name`];
    return walk(one, at, depth + 1);
  });
}

function pairProblems(
  pairs: Readonly<Record<string, unknown>>,
  path: string,
  isLegal: (value: unknown) => boolean,
): readonly string[] {
  return Object.entries(pairs).flatMap(([key, value]) => {
    const prefix = QUALIFIED.exec(key)?.groups?.['prefix'];
    const isKey = QUALIFIED.test(key) && (prefix === undefined || isName(prefix));
    return [
      ...(isKey ? [] : [`${path} has an illegal key, ${key}`]),
      ...(isLegal(value) ? [] : [`${path}.${key} has an illegal value, ${String(value)}`]),
    ];
  });
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): boolean => typeof value === 'string';
const isLabelValue = (value: unknown): boolean =>
  typeof value === 'string' && LABEL_VALUE.test(value);
const isName = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= DNS_NAME_LENGTH_MAX && DNS_NAME.test(value);
