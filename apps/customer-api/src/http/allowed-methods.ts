/** Which methods a path takes, for the Allow header of a 405 answer. */
export interface AllowedMethods {
  add(pattern: string, methods: string | readonly string[]): void;
  /** Empty when no route has this path. `path` is without its query. */
  of(path: string): readonly string[];
}

/** Patterns are a router's: `/customers/:customerId`, `/docs/*`. */
export function createAllowedMethods(): AllowedMethods {
  const methodsByPattern = new Map<string, Set<string>>();
  return {
    add(pattern, methods) {
      const known = methodsByPattern.get(pattern) ?? new Set();
      for (const method of [methods].flat()) known.add(method);
      methodsByPattern.set(pattern, known);
    },
    of(path) {
      // As the router has it: /customers/batch is not the customer called batch.
      const own = methodsByPattern.get(path);
      if (own !== undefined) return [...own].sort();
      const allowed = [...methodsByPattern].flatMap(([pattern, methods]) =>
        isMatch(pattern, path) ? [...methods] : [],
      );
      return [...new Set(allowed)].sort();
    },
  };
}

function isMatch(pattern: string, path: string): boolean {
  const expected = pattern.split('/');
  const given = path.split('/');
  if (expected.at(-1) === '*') {
    return expected.slice(0, -1).every((part, index) => part === given[index]);
  }
  if (expected.length !== given.length) return false;
  return expected.every((part, index) =>
    part.startsWith(':') ? given[index] !== '' : part === given[index],
  );
}
