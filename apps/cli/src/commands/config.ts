import {
  readConfigurationRows,
  readSettingHistory,
  type SettingChange,
  tandemSettings,
  writeSetting,
} from '@tandem/storage';
import type { Cli, Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import { findSettingProblems } from '../regions/find-setting-problems.ts';
import { escapeValue } from '../report/escape-text.ts';
import { textTable, timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';
import { UsageError } from '../usage-error.ts';

interface ConfigOptions {
  readonly region: string;
  readonly apply: boolean;
}

type Named = keyof typeof tandemSettings;

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
    set,
  );
  act<ConfigOptions>(
    add('history', 'who changed what with this command, and when').argument('[setting]'),
    (session, { region }, [setting]) => history(session, region, setting),
  );
  act<ConfigOptions>(add('check', 'all that is missing or malformed'), check);
}

async function get(session: Session, name: string, setting: string | undefined): Promise<Outcome> {
  if (setting !== undefined) definitionOf(setting);
  const region = await session.openOne(name, 1);
  const texts = await readConfigurationRows(region.store);
  const names = setting === undefined ? Object.keys(tandemSettings) : [setting];
  const shown = names.map((one) => shownSetting(one as Named, texts.get(one)));
  const rows = shown.map((one) => [one.setting, one.value ?? '', one.isSet ? '' : 'default']);
  return {
    text: textTable(['setting', 'value', ''], rows),
    json: { region: name, settings: shown },
  };
}

function shownSetting(setting: Named, text: string | undefined) {
  const { isSecret, presence } = tandemSettings[setting];
  const isSet = text !== undefined && text !== '';
  const fallback = presence.kind === 'default' ? String(presence.value) : null;
  const value = isSet ? (isSecret ? '(secret)' : text) : fallback;
  return { setting, value, isSet };
}

async function set(
  session: Session,
  { region: name, apply }: ConfigOptions,
  [setting = '', given = '']: readonly string[],
): Promise<Outcome> {
  const { io } = session;
  const definition = definitionOf(setting);
  const text = given === '-' ? (io.environment['TANDEM_VALUE'] ?? '') : given;
  const parsed = definition.parse(text);
  if (parsed.kind !== 'value') {
    throw new UsageError(
      `The value of ${setting} ${parsed.problem}: it must be ${definition.rule}, for example ` +
        `${definition.example}.`,
    );
  }
  const region = await session.openOne(name, 1);
  if (!apply) {
    return {
      text: `Would set ${setting} in ${name}. Run it again with --apply.`,
      json: { applied: false, region: name, setting },
    };
  }
  const by = io.environment['USER'] ?? session.holder;
  const { isSecret } = definition;
  const atMs = io.clock.nowMs();
  const change = await writeSetting(region.store, { setting, text, by, atMs, isSecret });
  return {
    text: escapeValue(
      `Set ${setting} in ${name}: ${change.before ?? 'nothing'} → ${change.after}.`,
    ),
    json: { applied: true, region: name, ...changeJson(change) },
  };
}

async function history(
  session: Session,
  name: string,
  setting: string | undefined,
): Promise<Outcome> {
  if (setting !== undefined) definitionOf(setting);
  const region = await session.openOne(name, 1);
  const changes = await readSettingHistory(region.store, setting);
  const rows = changes.map((one) => [
    timeText(one.atMs),
    one.by,
    one.setting,
    one.before ?? '',
    one.after,
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
  const region = await session.openOne(name, 1);
  const { problems, elsewhere } = await findSettingProblems(region, session.io.clock);
  return {
    text: [
      ...(problems.length === 0 ? [`The settings of ${name} are well.`] : problems),
      ...(elsewhere.length === 0
        ? []
        : [
            `Not in the table, so given by the environment of its services: ${elsewhere.join(', ')}.`,
          ]),
    ].join('\n'),
    json: { region: name, problems, elsewhere },
    exitCode: problems.length === 0 ? EXIT.ok : EXIT.finding,
  };
}

function definitionOf(setting: string): (typeof tandemSettings)[Named] {
  if (Object.hasOwn(tandemSettings, setting)) return tandemSettings[setting as Named];
  throw new UsageError(
    `There is no setting "${setting}"; there is ${Object.keys(tandemSettings).join(', ')}.`,
  );
}

function changeJson({ setting, atMs, by, before, after }: SettingChange): object {
  return { setting, atMs, by, before: before ?? null, after };
}
