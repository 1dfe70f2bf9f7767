/** What was asked for cannot be: a wrong option, an unknown region, a time in the future. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
