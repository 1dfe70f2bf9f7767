import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
export const HELM_FOLDER = `${ROOT}helm`;
export const KUSTOMIZE_FOLDER = `${ROOT}k8s`;
/** Not in git; what is in it can be made again. Below node_modules, so that types are found. */
export const CACHE_FOLDER = fileURLToPath(
  new URL('../../node_modules/.cache/deploy-check', import.meta.url),
);
