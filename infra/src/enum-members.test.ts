// The types of azure-native accept any text where they list members, so a misspelt text compiles and
// fails in Azure. The sources may therefore only name members of the enums.
import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

const SOURCES = new URL('.', import.meta.url).pathname;
const LIBRARY = dirname(
  createRequire(import.meta.url).resolve('@pulumi/azure-native/package.json'),
);
const ENUM_INPUT = /^\s+(\w+)\??: pulumi\.Input<(?:pulumi\.Input<)?string \| enums\./gm;
const LITERAL = /\b(\w+): '([^']*)'/g;
const SKU_LITERAL = /sku: \{[^}]*'/;

/** Inputs of that name which are texts, or literals that the compiler checks, where they are used. */
const TEXTS = [
  'category: ContainerAppConsoleLogs',
  'criterionType: StaticThresholdCriterion',
  'destination: azure-monitor',
  'type: Microsoft.Network/trafficManagerProfiles/externalEndpoints',
  'kind: web',
  'mode: all',
  'protocol: TCP',
  'type: azure-servicebus',
  'type: continuous',
  'type: delay',
  'type: discrete',
  'type: managedClusters',
  'type: namespaces',
  'type: networkSecurityGroups',
  // Of records in the DNS, which the stack only prints.
  'type: CNAME',
  'type: TXT',
];

/** The modules that the sources import, such as `storage`. */
function importedModules(text: string): string[] {
  return [...text.matchAll(/@pulumi\/azure-native\/(\w+)\//g)].map(([, name]) => name ?? '');
}

/** Of all modules in one file, of megabytes. */
const inputs = readFileSync(join(LIBRARY, 'types/input.d.ts'), 'utf8');
const known = new Map<string, readonly string[]>();

/** The names of inputs that have an enum in the module, which is read once. */
function enumInputsOf(module: string): readonly string[] {
  const found = known.get(module);
  if (found !== undefined) return found;
  const begin = inputs.indexOf(`export declare namespace ${module} {`);
  const own = inputs.slice(begin, inputs.indexOf('\n}\n', begin));
  const resources = globSync(`${LIBRARY}/${module}/*.d.ts`);
  const texts = [own, ...resources.map((file) => readFileSync(file, 'utf8'))];
  const names = texts.flatMap((text) =>
    [...text.matchAll(ENUM_INPUT)].map(([, name]) => name ?? ''),
  );
  known.set(module, names);
  return names;
}

/** The names of inputs that have an enum in one of the modules. */
function enumInputs(modules: readonly string[]): ReadonlySet<string> {
  return new Set(modules.flatMap(enumInputsOf));
}

const files = globSync(`${SOURCES}**/*.ts`).filter((file) => !/\.test\.ts$|\/testing\//.test(file));

describe('the sources', () => {
  it.each(files.map((file) => file.replace(SOURCES, '')))('name members of enums: %s', (file) => {
    const text = readFileSync(SOURCES + file, 'utf8');
    const names = enumInputs(importedModules(text));
    const literals = [...text.matchAll(LITERAL)]
      // Most resources have a name of their own; the names that are members are those of a SKU.
      .filter(([, name = '']) => names.has(name) && name !== 'name')
      .map(([, name, value]) => `${name}: ${value}`)
      .filter((literal) => !TEXTS.includes(literal));
    expect(literals).toEqual([]);
    expect(text).not.toMatch(SKU_LITERAL);
  });

  it('would be caught: the check knows the enums', () => {
    const names = enumInputs(['storage', 'servicebus', 'trafficmanager', 'containerservice']);
    for (const name of ['minimumTlsVersion', 'trafficRoutingMethod', 'networkPolicy', 'kind']) {
      expect(names).toContain(name);
    }
  });
});
