/** A line of figures in the output of a run; tests have no other way to report them. */
export function say(line: string): void {
  process.stdout.write(`e2e: ${line}\n`);
}
