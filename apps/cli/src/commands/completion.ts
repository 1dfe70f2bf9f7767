import { Argument } from 'commander';
import type { Cli } from '../act.ts';
import { completionScript, type Shell, SHELLS } from '../completion/completion-script.ts';

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
