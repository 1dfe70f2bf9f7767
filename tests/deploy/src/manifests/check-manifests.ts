import { checkCustomFields } from './check-custom-fields.ts';
import { checkFields, KUBERNETES_MINORS } from './check-fields.ts';
import { findNameProblems } from './find-name-problems.ts';
import { describeManifest, type Manifest } from './manifest.ts';
import { checkModel, isCustom } from './models.ts';
import { checkSecretProviderClass, SECRET_PROVIDER_CLASS } from './secret-provider-class.ts';

/**
 * Every problem of the manifests, as a sentence that names the object: kinds and fields that a
 * minor or an operator does not know, wrong types, values outside of their enum, missing fields.
 */
export async function checkManifests(manifests: readonly Manifest[]): Promise<readonly string[]> {
  return (await checkEach(manifests)).flat();
}

/** The same for each manifest, in order. */
export async function checkEach(
  manifests: readonly Manifest[],
): Promise<readonly (readonly string[])[]> {
  const custom = manifests.filter(isCustom);
  const customFields = await checkCustomFields(custom);
  const found = manifests.map(async (manifest) => {
    const problems = await checkManifest(manifest);
    problems.push(...(customFields[custom.indexOf(manifest)] ?? []));
    return [...new Set(problems)].map((problem) => `${describeManifest(manifest)}: ${problem}`);
  });
  return Promise.all(found);
}

async function checkManifest(manifest: Manifest): Promise<string[]> {
  if (manifest.apiVersion === SECRET_PROVIDER_CLASS) return checkSecretProviderClass(manifest);
  const problems = [...findNameProblems(manifest), ...(await checkModel(manifest))];
  if (isCustom(manifest)) return problems;
  for (const minor of KUBERNETES_MINORS) problems.push(...(await checkFields(manifest, minor)));
  return problems;
}
