/** Called by the checkers that look on while the simulation runs. */
export type Report = (checker: string, message: string) => void;
