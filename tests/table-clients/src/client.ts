/** What a client of Table Storage does here, and how it is told to. */

/** One client that nobody here wrote, with the connection string of one region. */
interface TableClientUnderTest {
  /**
   * Does the client's ordinary work once more, and expects of each answer what the client's users do. Returns what a
   * later reader has to know of it. Nothing of one round is in the way of another.
   */
  work(round: number): Promise<unknown>;
  /** Finds what a round wrote, in whichever region it is asked; `facts` is what the round returned. */
  find(round: number, facts: unknown): Promise<void>;
}

export type OpenClient = (connection: string) => TableClientUnderTest;

/** A line that a client's process is sent. */
export type Order =
  | { readonly do: 'work'; readonly round: number }
  | { readonly do: 'find'; readonly round: number; readonly facts: unknown };

/** The line with which it answers. */
export type Done =
  | { readonly kind: 'done'; readonly facts: unknown }
  | { readonly kind: 'failed'; readonly message: string };

/** Returns a value of a connection string. */
export function partOf(connection: string, name: string): string {
  const start = `${name}=`;
  const part = connection.split(';').find((one) => one.startsWith(start));
  if (part === undefined) throw new Error(`The connection string has no ${name}.`);
  return part.slice(start.length);
}
