const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/y;

/**
 * Whether an object in the text, which is well-formed JSON, names a field twice. `JSON.parse` takes
 * the last, other readers the first, and what stands between them may have looked at either.
 */
export function hasRepeatedKey(text: string): boolean {
  /** Of the objects and arrays around the place; undefined for an array. */
  const around: (Set<string> | undefined)[] = [];
  let isKeyNext = false;
  for (let at = 0; at < text.length; at += 1) {
    switch (text[at]) {
      case '{':
        around.push(new Set());
        isKeyNext = true;
        break;
      case '[':
        around.push(undefined);
        isKeyNext = false;
        break;
      case '}':
      case ']':
        around.pop();
        isKeyNext = false;
        break;
      case ',':
        isKeyNext = around.at(-1) !== undefined;
        break;
      case '"': {
        STRING.lastIndex = at;
        const literal = STRING.exec(text)?.[0] ?? '';
        const keys = isKeyNext ? around.at(-1) : undefined;
        const key = keys === undefined ? '' : nameOf(literal);
        if (keys?.has(key) === true) return true;
        keys?.add(key);
        isKeyNext = false;
        at += literal.length - 1;
        break;
      }
      default:
    }
  }
  return false;
}

/** The same name may be spelled with escapes. */
function nameOf(literal: string): string {
  return literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1);
}
