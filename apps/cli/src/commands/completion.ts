import { Argument, type Command } from 'commander';
import type { Cli } from '../act.ts';

export function addCompletion({ program, act }: Cli): void {
  const command = program
    .command('completion')
    .addArgument(new Argument('<shell>', 'whose').choices(SHELLS))
    .description(
      'Prints a script that completes commands and options: eval "$(tandem completion bash)"',
    );
  act(command, async (_, __, [shell]) => {
    const script = completionScript(shell as Shell, program);
    return { text: script, json: { script } };
  });
}

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** Lists what can follow a command: `conflicts` → list, show, restore, --regions, … */
function completionsOf(program: Command): ReadonlyMap<string, readonly string[]> {
  const global = optionsOf(program);
  const found = new Map<string, readonly string[]>();
  const visit = (command: Command, path: readonly string[]): void => {
    const words = command.commands.map((inner) => inner.name());
    const own = path.length === 0 ? global : [...optionsOf(command), ...global];
    found.set(path.join(' '), [...new Set([...words, ...own])].toSorted());
    for (const inner of command.commands) visit(inner, [...path, inner.name()]);
  };
  visit(program, []);
  return found;
}

function optionsOf(command: Command): string[] {
  return [...command.options.flatMap(({ long }) => long ?? []), '--help'];
}

/** Makes a script that the shell evaluates; it holds the words, so completing starts no process. */
function completionScript(shell: Shell, program: Command): string {
  const words = completionsOf(program);
  return shell === 'fish' ? fishScript(words) : bashScript(words, shell);
}

function bashScript(words: ReadonlyMap<string, readonly string[]>, shell: 'bash' | 'zsh'): string {
  const cases = [...words].map(([path, own]) => `    '${path}') words='${own.join(' ')}' ;;`);
  const groups = [...new Set([...words.keys()].filter((path) => path.includes(' ')))]
    .map((path) => path.split(' ')[0])
    .filter((name, index, all) => all.indexOf(name) === index);
  return [
    ...(shell === 'zsh' ? ['autoload -U +X bashcompinit && bashcompinit'] : []),
    '_tandem() {',
    '  local path words word',
    "  path=''",
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '    case "$word" in -*) ;; *)',
    `      case "$path" in '') path="$word" ;; ${groups.join('|') || '-'}) path="$path $word" ;; esac ;;`,
    '    esac',
    '  done',
    '  case "$path" in',
    ...cases,
    "    *) words='' ;;",
    '  esac',
    '  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))',
    '}',
    'complete -F _tandem tandem',
  ].join('\n');
}

function fishScript(words: ReadonlyMap<string, readonly string[]>): string {
  const lines = [...words].flatMap(([path, own]) => {
    const [first = '', second = ''] = path.split(' ');
    const seen = [first, second].filter((word) => word !== '');
    const condition =
      seen.length === 0
        ? '__fish_use_subcommand'
        : seen.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
    return own.map((word) =>
      word.startsWith('--')
        ? `complete -c tandem -n '${condition}' -l ${word.slice(2)}`
        : `complete -c tandem -f -n '${condition}' -a ${word}`,
    );
  });
  return lines.join('\n');
}
