/** The end of a switch over kinds that has a case for each; one more kind does not compile. */
export function unknownKind(value: never): never {
  throw new Error(`unknown kind: ${JSON.stringify(value)}`);
}
