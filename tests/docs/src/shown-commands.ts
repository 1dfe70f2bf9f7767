// What a document shows of a terminal, for the tests that run it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PORT_BASE_DEFAULT } from '@tandem/local-cluster';

export interface ShownCommand {
  readonly command: string;
  readonly output: string;
}

/** Every `$ command` of the blocks of this language, with the output that is shown for it. */
export function readShownCommands(markdown: string, language: string): ShownCommand[] {
  const blocks = [...markdown.matchAll(/^```(\S+)\n([\s\S]*?)^```/gm)];
  return blocks
    .filter(([, found]) => found === language)
    .flatMap(([, , block = '']) => block.split(/^\$ /m).slice(1).map(readStep));
}

function readStep(step: string): ShownCommand {
  const [command = '', ...output] = step.trimEnd().split('\n');
  return { command, output: output.join('\n') };
}

/** What is shown, with `…` standing for anything. */
export function toPattern(output: string): RegExp {
  const parts = output.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').trim());
  return new RegExp(`^\\s*${parts.join('[\\s\\S]*?')}\\s*$`);
}

/** The command with the ports of regions that were started elsewhere than `npm start` does. */
export function atPorts(command: string, portBase: number): string {
  return command.replaceAll(
    /127\.0\.0\.1:(\d+)/g,
    (_, port: string) => `127.0.0.1:${portBase + Number(port) - PORT_BASE_DEFAULT}`,
  );
}

const MARK = '::::';

/** Runs the commands one after the other in one shell, as a reader does who pastes all; to the output of each. */
export async function runInOneShell(
  commands: readonly string[],
  folder: string,
): Promise<readonly string[]> {
  const script = commands.map((command) => `${command}\necho '${MARK}'\n`).join('');
  const shell = spawn('bash', ['-s'], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  shell.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  const closed = once(shell, 'close');
  shell.stdin.end(script);
  await closed;
  return output.replaceAll('\r', '').split(MARK);
}
