/**
 * What some reader takes for the end of a line, or a terminal for a command, and JSON leaves as it is:
 * DEL, C1 with its NEXT LINE, LINE SEPARATOR and PARAGRAPH SEPARATOR.
 */
const LINE_BREAKERS = /[\u007f-\u009f\u2028\u2029]/g;

/** Returns a text of JSON that means the same, and is one line for every reader. */
export function escapeLineBreakers(json: string): string {
  return json.replace(LINE_BREAKERS, escapeOf);
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
