export interface Check {
  readonly name: string;
  /** What is wrong, a line each; none when all is well. */
  readonly run: () => Promise<readonly string[]>;
}
