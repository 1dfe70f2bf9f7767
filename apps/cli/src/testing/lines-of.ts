/** Returns all that a person sees, with the cells of a row in one line. */
export function linesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => !/^[┌├└]/.test(line))
    .map((line) =>
      line
        .replace(/^│|│$/g, '')
        .split('│')
        .map((cell) => cell.trim())
        .join(' | ')
        .replace(/(?: \| )+$/, ''),
    );
}
