import type { Edit } from './mutant.ts';

/** The text with the edit made. Throws unless what it looks for is there exactly once. */
export function applyEdit(text: string, { file, find, replace }: Edit): string {
  const places = text.split(find).length - 1;
  if (places !== 1) {
    throw new Error(`${file} has ${places} places that read ${JSON.stringify(find)}, not one`);
  }
  return text.replace(find, () => replace);
}
