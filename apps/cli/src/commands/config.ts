import { AppError } from '@tandem/core';
import {
  CONFIGURATION_TABLE,
  currentNameOf,
  environmentNameOf,
  findOldNames,
  findOverrideProblems,
  namesOf,
  readConfigurationRow,
  readConfigurationRows,
  readOverrides,
  readSettingHistory,
  type SettingChange,
  type SettingWrite,
  type TakesEffect,
  tandemSettings,
  writeSetting,
  writeSettings,
} from '@tandem/storage';
import type { Cli, Outcome } from '../act.ts';
import { EXIT, UsageError } from '../exit-codes.ts';
import {
  findNewProblems,
  findSettingProblems,
  readRows,
} from '../regions/find-setting-problems.ts';
import { readProgress } from '../regions/read-peer-names.ts';
import { type CliRegion, type Named, readWireVersion } from '../regions/region.ts';
import { escapeValue } from '../report/escape-text.ts';
import { textTable, timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

interface ConfigOptions {
  readonly region: string;
  readonly apply: boolean;
}

const SECRET = '(secret)';
const WIRE_VERSION = 'Messages.WireVersion';

export function addConfig({ program, act }: Cli): void {
  const group = program
    .command('config')
    .description('The settings of a region, in its table Configuration.');
  const add = (name: string, what: string): ReturnType<typeof group.command> =>
    group.command(name).description(what).requiredOption('--region <region>', 'whose settings');
  act<ConfigOptions>(
    add('get', 'one setting, or all; secrets are not shown').argument('[setting]'),
    (session, { region }, [setting]) => get(session, region, setting),
  );
  act<ConfigOptions>(
    add('set', 'sets one, after checking its rule; "-" reads a secret from TANDEM_VALUE')
      .argument('<setting>')
      .argument('<value>')
      .option('--apply', 'does it', false),
    (session, options, [setting = '', given = '']) => {
      const text = given === '-' ? (session.io.environment['TANDEM_VALUE'] ?? '') : given;
      return change(session, options, { setting, text });
    },
  );
  act<ConfigOptions>(
    add('unset', 'takes one away, so that its default counts')
      .argument('<setting>')
      .option('--apply', 'does it', false),
    (session, options, [setting = '']) => change(session, options, { setting, text: undefined }),
  );
  act<ConfigOptions>(
    add(
      'release',
      'sets at once what the environment of this command gives, as the services would override it, and takes away what the ' +
        'release before gave and this one does not',
    ).option('--apply', 'does it', false),
    release,
  );
  act<ConfigOptions>(
    add('history', 'who changed what with this command, and when').argument('[setting]'),
    (session, { region }, [setting]) => history(session, region, setting),
  );
  act<ConfigOptions>(add('check', 'all that is missing or malformed'), check);
}

async function get(session: Session, name: string, setting: string | undefined): Promise<Outcome> {
  const names = setting === undefined ? Object.keys(tandemSettings) : [currentName(setting)];
  const region = await session.openAsIs(name);
  const texts = await readConfigurationRows(region.store);
  const old = new Map(
    findOldNames(tandemSettings, (one) => texts.get(one)).flatMap((one) =>
      one.counts ? [[one.setting, one.formerName] as const] : [],
    ),
  );
  const shown = names.map((one) => {
    const formerName = old.get(one);
    return shownSetting(one as Named, texts.get(formerName ?? one), formerName);
  });
  const rows = shown.map(({ setting: one, value, isSet, oldName }) => {
    const note = oldName === undefined ? '' : `set as ${oldName}`;
    return [one, value ?? '', isSet ? note : 'default'];
  });
  return {
    text: textTable(['setting', 'value', ''], rows),
    json: { region: name, settings: shown },
  };
}

function shownSetting(setting: Named, text: string | undefined, oldName: string | undefined) {
  const { isSecret, presence } = tandemSettings[setting];
  const isSet = text !== undefined && text !== '';
  const fallback = presence.kind === 'default' ? String(presence.value) : null;
  const value = isSet ? (isSecret ? SECRET : text) : fallback;
  return { setting, value, isSet, ...(oldName === undefined ? {} : { oldName }) };
}

interface Change {
  readonly setting: string;
  /** Undefined to take it away. */
  readonly text: string | undefined;
}

async function change(
  session: Session,
  { region: name, apply }: ConfigOptions,
  { setting: given, text }: Change,
): Promise<Outcome> {
  const { io, kind } = session;
  const { clock } = io;
  const { isSecret, takesEffect } = checkRule(given, text);
  // What stands under a former name is taken away under it, and set under the name of today, which wins.
  const setting = text === undefined ? given : currentName(given);
  const region = await session.openAsIs(name);
  const row = await readRow(region, setting);
  if (text === undefined && row === undefined) {
    return {
      text: `${setting} is not set in ${name}.`,
      json: { applied: false, region: name, setting },
    };
  }
  const changed = new Map([[setting, text]]);
  const [before, after] = await Promise.all([
    findSettingProblems(region, { kind, clock }),
    findSettingProblems(region, { kind, clock, changed }),
  ]);
  const problems = findNewProblems(before, after);
  if (problems.length > 0) {
    throw new UsageError(`${name} would not start with that: ${problems.join(' ')}`);
  }
  if (setting === WIRE_VERSION)
    await checkWireVersion(session, region, { version: Number(text ?? 0) });
  const verb = text === undefined ? 'unset' : 'set';
  const overridden = after.overridden.includes(setting);
  const when = overridden ? overriddenNote(name, [setting]) : EFFECT[takesEffect];
  if (!apply) {
    const shown = [row, text].map((value) => (value !== undefined && isSecret ? SECRET : value));
    return {
      text: escapeValue(
        `Would ${verb} ${setting} in ${name}: ${shown[0] ?? 'nothing'} → ${shown[1] ?? 'nothing'}. ` +
          `${when} Run it again with --apply.`,
      ),
      json: {
        applied: false,
        region: name,
        setting,
        before: shown[0] ?? null,
        after: shown[1] ?? null,
        takesEffect,
        overridden,
      },
    };
  }
  const author = { by: authorOf(session), atMs: clock.nowMs() };
  const done = await writeSetting(region.store, { setting, text, isSecret, ...author });
  if (done === undefined) throw new UsageError(`${setting} was taken away by someone else.`);
  return {
    text: escapeValue(
      `${text === undefined ? 'Unset' : 'Set'} ${setting} in ${name}: ${done.before ?? 'nothing'} → ` +
        `${done.after ?? 'nothing'}. ${when}`,
    ),
    json: { applied: true, region: name, ...changeJson(done), takesEffect, overridden },
  };
}

const EFFECT: Readonly<Record<TakesEffect, string>> = {
  now: 'Its services read it by themselves within a minute.',
  restart: 'Its services read it when they are restarted.',
};

function overriddenNote(region: string, settings: readonly string[]): string {
  const variables = settings.map(environmentNameOf).join(', ');
  const [it, isIt] = settings.length === 1 ? ['it', 'it is'] : ['them', 'they are'];
  return (
    `The environment of the services of ${region} overrides ${it} by ${variables}: until ${isIt} taken away there, ` +
    'what the table says has no effect.'
  );
}

/** Whoever else changes settings is a person; by this it is known what a release may take away again. */
const RELEASE = 'release ';

/** Returns who sets something by hand, whose name is never taken for that of a release. */
function authorOf({ io, holder }: Session): string {
  const name = io.environment['USER'] ?? holder;
  return name.startsWith(RELEASE) ? `user ${name}` : name;
}

/** Is the form that a region takes where it has no `Peers`, which wins over it. */
const TWO_REGION_FORM = ['Peer.Region', 'RedundancyServiceBusConnection'];

/** Writes what a release gives into the table, all or nothing; see docs/adr/0049. */
async function release(session: Session, { region: name, apply }: ConfigOptions): Promise<Outcome> {
  const { io, kind } = session;
  const { clock, environment } = io;
  const malformed = findOverrideProblems(tandemSettings, environment);
  if (malformed.length > 0) throw new UsageError(malformed.join(' '));
  const region = await session.openAsIs(name);
  const { store } = region;
  const rows = await readRows(store);
  const given = readOverrides(tandemSettings, environment);
  if (given.size === 0) {
    throw new UsageError(
      `The environment gives no setting, for example ${environmentNameOf('Customer.Queue')}=customer: a release that gives ` +
        'none would take all away that the one before gave.',
    );
  }
  const wanted = new Map<string, string | undefined>(given);
  for (const setting of await readReleased(store, rows))
    if (!given.has(currentName(setting))) wanted.set(setting, undefined);
  if (TWO_REGION_FORM.some((setting) => given.has(setting)) && !given.has('Peers')) {
    wanted.set('Peers', undefined);
  }
  const changed = new Map([...wanted].filter(([setting, text]) => rows.get(setting) !== text));
  const { problems, overridden } = await findSettingProblems(region, {
    kind,
    clock,
    changed,
    isTableAlone: true,
  });
  if (problems.length > 0) {
    throw new UsageError(`${name} would not start with that: ${problems.join(' ')}`);
  }
  const version = Number(given.get(WIRE_VERSION) ?? 0);
  await checkWireVersion(session, region, {
    version,
    isOverridden: overridden.includes(WIRE_VERSION),
  });
  const writes = [...wanted].map(([setting, text]) => ({
    setting,
    text,
    isSecret: definitionOf(setting).isSecret,
  }));
  if (!apply || changed.size === 0) {
    const asked = writes.filter(({ setting }) => changed.has(setting));
    return plannedRelease(name, { writes: asked, rows });
  }
  await store.createTable(CONFIGURATION_TABLE);
  const by = `${RELEASE}${environment['TANDEM_RELEASE'] ?? session.holder}`;
  const author = { by, atMs: clock.nowMs(), decidedBy: rows };
  return releaseOutcome(name, {
    applied: true,
    changes: await writeSettings(store, writes, author),
  });
}

/**
 * Returns the settings whose last change was that of a release, and which stand as that left them: what a person wrote into the
 * table itself, without this command, is his. Of a secret nobody can tell.
 */
async function readReleased(
  store: CliRegion['store'],
  rows: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const last = new Map<string, SettingChange>();
  try {
    for (const change of await readSettingHistory(store)) last.set(change.setting, change);
  } catch (error) {
    if (error instanceof AppError && error.code === 'TABLE_MISSING') return [];
    throw error;
  }
  return [...last.values()]
    .filter(({ setting, by, after }) => {
      if (!by.startsWith(RELEASE) || after === undefined) return false;
      // One that this build does not know stays for the one that does.
      const current = currentNameOf(tandemSettings, setting);
      if (current === undefined) return false;
      return definitionOf(current).isSecret || rows.get(setting) === after;
    })
    .map(({ setting }) => setting);
}

function plannedRelease(
  region: string,
  plan: { readonly writes: readonly SettingWrite[]; readonly rows: ReadonlyMap<string, string> },
): Outcome {
  const changes = plan.writes.map(({ setting, text, isSecret }) => {
    const [before, after] = [plan.rows.get(setting), text].map((value) =>
      value !== undefined && isSecret ? SECRET : value,
    );
    return { setting, before, after };
  });
  return releaseOutcome(region, { applied: false, changes });
}

function releaseOutcome(
  region: string,
  done: {
    readonly applied: boolean;
    readonly changes: readonly Pick<SettingChange, 'setting' | 'before' | 'after'>[];
  },
): Outcome {
  const changes = done.changes.map(({ setting, before, after }) => ({
    setting,
    before: before ?? null,
    after: after ?? null,
    takesEffect: definitionOf(setting).takesEffect,
  }));
  const rows = changes.map(({ setting, before, after, takesEffect }) => [
    setting,
    before ?? '',
    after ?? '(unset)',
    takesEffect === 'now' ? 'at once' : 'at a restart',
  ]);
  const said = done.applied ? 'Done.' : 'Run it again with --apply.';
  return {
    text:
      changes.length === 0
        ? `The settings of ${region} are as this release has them.`
        : `${textTable(['setting', 'before', 'after', 'takes effect'], rows)}\n${said}`,
    json: { applied: done.applied, region, changes },
  };
}

/**
 * Throws `UsageError` where it is raised while a region runs a build that would set messages of the version aside as too new, or of which nobody
 * says what it reads. One that was never started, or never heard, begins with a build that does. A release has only its own region in its
 * inventory, whose replicator keeps what the peers have told it.
 */
async function checkWireVersion(
  session: Session,
  own: CliRegion,
  { version, isOverridden = false }: { readonly version: number; readonly isOverridden?: boolean },
): Promise<void> {
  // What the environment of its services overrides stands in the table, and nobody writes it.
  if (!isOverridden && version <= (await readWireVersion(own))) return;
  const { regions } = await session.inventory();
  const answers = regions.map(async ({ name }) => {
    const region = await session.openAsIs(name);
    const progress = await readProgress(region);
    if (progress !== undefined) {
      const { readsWireVersion, heartbeatMs } = progress;
      return whyTooNew(name, version, { wireVersion: readsWireVersion, heardMs: heartbeatMs });
    }
    return region.bucketCount === 0
      ? []
      : [`${name} was started, and its replicator says nothing.`];
  });
  const seen = new Set(regions.map(({ name }) => name));
  const told = ((await readProgress(own))?.peers ?? [])
    .filter(({ peer, passedMs, reads }) => !seen.has(peer) && (passedMs ?? reads) !== undefined)
    .flatMap(({ peer, passedMs = 0, reads }) =>
      whyTooNew(peer, version, reads ?? { heardMs: passedMs }),
    );
  const problems = [...(await Promise.all(answers)).flat(), ...told];
  if (problems.length === 0) return;
  throw new UsageError(
    `Messages of version ${version} would be set aside as too new: ${problems.join(' ')} Upgrade that first.`,
  );
}

function whyTooNew(
  region: string,
  version: number,
  { wireVersion, heardMs }: { readonly wireVersion?: number | undefined; readonly heardMs: number },
): readonly string[] {
  if (wireVersion !== undefined && wireVersion >= version) return [];
  const what =
    wireVersion === undefined ? 'does not say which it reads' : `reads up to ${wireVersion}`;
  return [`${region} ${what}, as its replicator told at ${timeText(heardMs)}.`];
}

/** Reads what stands in the table under that very name. */
async function readRow({ store }: CliRegion, name: string): Promise<string | undefined> {
  try {
    return await readConfigurationRow(store, name);
  } catch (error) {
    if (error instanceof AppError && error.code === 'TABLE_MISSING') return undefined;
    throw error;
  }
}

/**
 * Returns the definition. Throws `UsageError` for a setting that there is not, and a text that it
 * cannot have.
 */
function checkRule(setting: string, text: string | undefined): (typeof tandemSettings)[Named] {
  const definition = definitionOf(setting);
  const parsed = text === undefined ? undefined : definition.parse(text);
  if (parsed === undefined || parsed.kind === 'value') return definition;
  throw new UsageError(
    `The value of ${setting} ${parsed.problem}: it must be ${definition.rule}, for example ` +
      `${definition.example}.`,
  );
}

async function history(
  session: Session,
  name: string,
  setting: string | undefined,
): Promise<Outcome> {
  const names =
    setting === undefined ? [undefined] : namesOf(currentName(setting), definitionOf(setting));
  const region = await session.openAsIs(name);
  const histories = await Promise.all(names.map((one) => readSettingHistory(region.store, one)));
  const changes = histories.flat().toSorted((a, b) => a.atMs - b.atMs);
  const rows = changes.map((one) => [
    timeText(one.atMs),
    one.by,
    one.setting,
    one.before ?? '',
    one.after ?? '(unset)',
  ]);
  return {
    text:
      changes.length === 0
        ? 'Nothing was changed with this command.'
        : textTable(['at', 'by', 'setting', 'before', 'after'], rows),
    json: { region: name, changes: changes.map(changeJson) },
  };
}

async function check(session: Session, { region: name }: ConfigOptions): Promise<Outcome> {
  const region = await session.openAsIs(name);
  const { problems, elsewhere, old, overridden } = await findSettingProblems(region, {
    kind: session.kind,
    clock: session.io.clock,
  });
  return {
    text: [
      ...(problems.length === 0 ? [`The settings of ${name} are well.`] : problems),
      ...(elsewhere.length === 0
        ? []
        : [
            `Not in the table, so given by the environment of its services: ${elsewhere.join(', ')}.`,
          ]),
      ...(overridden.length === 0 ? [] : [overriddenNote(name, overridden)]),
      ...old.map(({ formerName, setting, counts }) =>
        counts
          ? `${formerName} is an old name, and still read: set ${setting}, and unset the old one once all ` +
            `services of ${name} run this release.`
          : `${formerName} is an old name, and does not count beside ${setting}: unset it.`,
      ),
    ].join('\n'),
    json: { region: name, problems, elsewhere, old, overridden },
    exitCode: problems.length === 0 ? EXIT.ok : EXIT.finding,
  };
}

function definitionOf(name: string): (typeof tandemSettings)[Named] {
  return tandemSettings[currentName(name)];
}

/** Returns the name that a setting has today. Throws `UsageError` for none. */
function currentName(setting: string): Named {
  const found = currentNameOf(tandemSettings, setting);
  if (found !== undefined) return found as Named;
  throw new UsageError(
    `There is no setting "${setting}"; there is ${Object.keys(tandemSettings).join(', ')}.`,
  );
}

function changeJson({ setting, atMs, by, before, after }: SettingChange): object {
  return { setting, atMs, by, before: before ?? null, after: after ?? null };
}
