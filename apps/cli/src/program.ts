import { Command, CommanderError } from 'commander';
import { type Cli, createCli } from './act.ts';
import { addAtRisk } from './commands/at-risk.ts';
import { addCanary } from './commands/canary.ts';
import { addCompletion } from './commands/completion.ts';
import { addConfig } from './commands/config.ts';
import { addConflicts } from './commands/conflicts.ts';
import { addConsole } from './commands/console.ts';
import { addDamagedRows } from './commands/damaged-rows.ts';
import { addDeadLetters } from './commands/dead-letters.ts';
import { addDoctor, addStatus } from './commands/doctor.ts';
import { addDrill } from './commands/drill.ts';
import { addForget } from './commands/forget.ts';
import { addGate } from './commands/gate.ts';
import { addHistory } from './commands/history.ts';
import { addMeasure } from './commands/measure.ts';
import { addMessages } from './commands/messages.ts';
import { addMirror } from './commands/mirror-tables.ts';
import { addMove } from './commands/move-tables.ts';
import { addRebuildRegion } from './commands/rebuild-region.ts';
import { addRepair } from './commands/repair.ts';
import { addReplay } from './commands/replay.ts';
import { addReturn } from './commands/return-tables.ts';
import { addTables } from './commands/tables.ts';
import { addTakeOver } from './commands/take-over-tables.ts';
import { addTransfer } from './commands/transfer-tables.ts';
import { addVerify } from './commands/verify.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';
import { wholeNumber } from './option-values.ts';
import { escapeLines, indentRest } from './report/escape-text.ts';

const COMMANDS: readonly ((cli: Cli) => void)[] = [
  addVerify,
  addRepair,
  addReplay,
  addRebuildRegion,
  addAtRisk,
  addHistory,
  addConflicts,
  addDeadLetters,
  addMessages,
  addDamagedRows,
  addForget,
  (cli) => {
    const tables = addTables(cli);
    addTakeOver(cli, tables);
    addMirror(cli, tables);
    addReturn(cli, tables);
    addMove(cli, tables);
    addTransfer(cli, tables);
  },
  addConfig,
  addDoctor,
  addCompletion,
  addStatus,
  addGate,
  addCanary,
  addMeasure,
  addDrill,
  addConsole,
];

const REQUESTS_MAX_DEFAULT = 10_000_000;

const HELP = `
Regions are found in tandem.regions.json, in .tandem/tandem.regions.json (which npm start writes) or
where TANDEM_REGIONS says.

Exit codes: 0 done · 1 failed · 2 wrong usage · 3 found what should not be (regions differ, writes at
risk, findings) · 4 out of reach · 5 no rights · 6 someone else recovers the region · 7 damaged rows ·
130 interrupted, go on with the same command.
`;

/** Runs one command line to its end. Resolves with the exit code; writes only through `io`. */
export async function runProgram(args: readonly string[], io: Io): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = new Command('tandem')
    .description('Asks about the regions of Tandem, proves them equal, and recovers them.')
    .option('--regions <file>', 'the inventory of regions')
    .option('--json', 'the result as one line of JSON, the last on stdout', false)
    .option(
      '--requests-max <n>',
      'stops rather than ask more of one region',
      wholeNumber(1, 1_000_000_000),
      REQUESTS_MAX_DEFAULT,
    )
    .helpOption('--help', 'show this text')
    .addHelpText('after', HELP)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(escapeLines(text)),
      writeErr: (text) => io.err(escapeLines(text)),
      outputError: (text, write) => write(`${indentRest(text.trimEnd())}\n`),
    });
  const cli = createCli(program, {
    io,
    onExit: (code) => void (exitCode = code),
    runProgram,
  });
  for (const add of COMMANDS) add(cli);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}
