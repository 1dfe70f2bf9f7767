// Every command in a runbook is one that exists; those that need neither a cluster nor Azure are run.
import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { LOG_ALERTS, STATUS_EVENT } from '@tandem/infra';
import { buildExample } from '@tandem/infra/testing';
import { describe, expect, it } from 'vitest';
import { REGIONS } from '../charts/releases.ts';
import { helpOfTandem } from '../charts/start-service.ts';
import { ROOT } from '../tools/folders.ts';
import { runTool } from '../tools/run-tool.ts';
import { unpackTool } from '../tools/unpack-tools.ts';
import { COMMANDS, RUNBOOKS, readRunbook } from './commands.ts';

/** What a runbook may use of tools that are not here to ask. */
const KNOWN: readonly RegExp[] = [
  /^pulumi -C infra (?:stack init|preview|up|stack output \w+ --json)(?: |$)/,
  /^az acr login --name /,
  /^az containerapp job (?:start|execution list) --name .+ --resource-group /,
  /^az containerapp exec --name .+ --resource-group .+ --command /,
  /^az aks get-credentials --resource-group .+ --name /,
  /^az network traffic-manager endpoint (?:list|update) --resource-group .+ --profile-name /,
  /^az storage account (?:show|show-connection-string) --resource-group .+ --name /,
  /^az storage account keys renew --resource-group .+ --account-name .+ --key key[12]$/,
  /^az servicebus namespace show --resource-group .+ --name /,
  /^az servicebus namespace authorization-rule keys (?:list|renew) --resource-group .+ --namespace-name .+ --name /,
  /^az vmss list --resource-group /,
  /^az rest --method post --url "https:\/\/management\.azure\.com\/subscriptions\/[^"]+\/experiments\/[^"]+\/(?:start|cancel)\?api-version=2024-01-01"$/,
  /^az servicebus queue update --resource-group .+ --namespace-name .+ --name .+ --status /,
  /^az keyvault secret set --vault-name .+ --name [\w-]+ --file /,
  /^az keyvault certificate (?:show|import) --vault-name .+ --name [\w-]+ --(?:query|file) /,
  /^docker (?:tag|push) /,
  /^curl -(?:i|s) /,
];
const ASKABLE = /^(helm|kubectl)\b/;
/** A command, or a group and one of its commands. */
const OURS = /^pnpm tandem (?<first>[a-z-]+)(?: (?<second>[a-z-]+))?/;
const FLAG = /(?<=\s)--?[a-z][a-z-]*/g;

const NOUNS: Readonly<Record<string, number>> = { rollout: 2, create: 3 };

const asked = new Map<string, ReturnType<typeof runTool>>();

/** Asks a program once: the runbooks name the same few commands again and again. */
function ask(program: string, args: readonly string[]): ReturnType<typeof runTool> {
  const key = [program, ...args].join(' ');
  const known = asked.get(key) ?? runTool(program, args);
  asked.set(key, known);
  return known;
}

/** What the tool itself says about a command: `upgrade`, `rollout status`. */
async function helpOf(tool: 'helm' | 'kubectl', text: string): Promise<string> {
  const words = text
    .split(/\s+/)
    .slice(1)
    .join(' ')
    .replace(/^-n \S+ /, '')
    .split(' ');
  const [verb = ''] = words;
  // Some verbs have flags for each noun: `create secret generic`, `rollout status`.
  const path = words.slice(0, NOUNS[verb] ?? 1);
  const { exitCode, stdout } = await ask(unpackTool(tool), [...path, '--help']);
  expect({ text, exitCode }).toEqual({ text, exitCode: 0 });
  const options = tool === 'kubectl' ? await ask(unpackTool(tool), ['options']) : undefined;
  return `${stdout}\n${options?.stdout ?? ''}`;
}

/** What our own command line says about a command, and how the command is called. */
async function ownHelpOf(text: string) {
  const { first = '', second = '' } = OURS.exec(text)?.groups ?? {};
  const group = await helpOfTandem([first]);
  if (!group.said.includes(`Usage: tandem ${first} [options] [command]`)) {
    return { ...group, command: first };
  }
  const one = await helpOfTandem([first, second]);
  return { ...one, command: `${first} ${second}` };
}

function expectFlags(text: string, help: string): void {
  for (const [flag] of text.matchAll(FLAG)) {
    expect(help).toMatch(new RegExp(`(?:^|[\\s,])${flag}\\b`, 'm'));
  }
}

function isKnown(text: string): boolean {
  const [program = '', first = '', second = ''] = text.split(' ');
  if (program === 'node') return existsSync(ROOT + first);
  if (program !== 'pnpm') return KNOWN.some((known) => known.test(text));
  const manifest = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as {
    scripts: Readonly<Record<string, string>>;
  };
  return (first === 'run' ? second : first) in manifest.scripts;
}

describe('a command of a runbook', () => {
  const askable = COMMANDS.filter(({ text }) => ASKABLE.test(text));
  const ours = COMMANDS.filter(({ text }) => OURS.test(text));
  const others = COMMANDS.filter(({ text }) => !ASKABLE.test(text));

  it.each(askable)('is known to its tool: $runbook: $text', async ({ text }) => {
    const [, tool] = ASKABLE.exec(text) ?? [];
    const own = text.split(' | ')[0] ?? '';
    expectFlags(own, await helpOf(tool as 'helm' | 'kubectl', own));
  });

  it.each(ours)('is known to our own command line: $runbook: $text', async ({ text }) => {
    const { command, code, said } = await ownHelpOf(text);
    // Of a command that it does not have it says how itself is used.
    expect(said).toContain(`Usage: tandem ${command} `);
    expect({ text, code }).toEqual({ text, code: 0 });
    expectFlags(text, said);
  });

  it.each(others)('is one that exists: $runbook: $text', ({ text }) => {
    expect(isKnown(text)).toBe(true);
  });

  const runnable = COMMANDS.filter(({ runsHere }) => runsHere);

  it.each(runnable.flatMap((command) => REGIONS.map((region) => ({ ...command, region }))))(
    'runs: $runbook, $region: $text',
    async ({ text, region }) => {
      const path = [unpackTool('helm'), unpackTool('kubectl')].map(dirname).join(':');
      const script = `cd "${ROOT}" && export PATH="${path}:$PATH" REGION=${region} && ${text}`;
      expect(await runTool('/bin/bash', ['-c', script])).toMatchObject({ exitCode: 0 });
    },
  );

  it('is run here for the build of a cluster, the lint and the template of a release', () => {
    const programs = runnable.map(({ text }) => text.split(' ').slice(0, 2).join(' '));
    expect(new Set(programs)).toEqual(new Set(['kubectl kustomize', 'helm lint', 'helm template']));
  });
});

describe('the runbooks', () => {
  it.each(RUNBOOKS)('name only files that exist: %s', (runbook) => {
    const text = readRunbook(runbook);
    const pages = [...text.matchAll(/\]\(([^)#]+\.md)/g)].map(
      ([, page]) => `docs/runbooks/${page}`,
    );
    const paths = [...text.matchAll(/(?:^|[\s`"])((?:helm|k8s|infra|scripts)\/[\w./-]+)/gm)]
      .map(([, path = '']) => path)
      // A stack's own file, and what depends on the region.
      .filter((path) => !/Pulumi\.production\.yaml$|values\.$|overlays\/$/.test(path));
    for (const path of [...pages, ...paths])
      expect({ path, exists: existsSync(ROOT + path) }).toEqual({ path, exists: true });
  });

  it('are there for every alert', async () => {
    const { asked } = await buildExample();
    const named = asked.flatMap(({ inputs }) =>
      [...JSON.stringify(inputs).matchAll(/docs\/runbooks\/([\w-]+\.md)/g)].map(([, name]) => name),
    );
    expect(new Set(named).size).toBeGreaterThanOrEqual(3);
    for (const name of named) expect(RUNBOOKS).toContain(name);
  });
});

describe('the alerts on logs', () => {
  it('read what the replicator writes', () => {
    const path = `${ROOT}packages/region/src/replication/duties/run-duties.ts`;
    const source = readFileSync(path, 'utf8');
    expect(source).toContain(`event: '${STATUS_EVENT}'`);
    for (const { event, measure } of LOG_ALERTS) {
      expect(event).toBe(STATUS_EVENT);
      const [, field] = /entry\.(\w+)/.exec(measure) ?? [];
      expect(source).toContain(`${field}:`);
    }
  });
});
