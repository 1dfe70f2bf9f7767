/** The oldest Node on which the tests of the packages pass; `engines` of every package says the same. */
const NODE_MIN = [22, 18] as const;

/**
 * Throws one sentence on a Node that is too old. Every entry of this package begins with it, and every
 * other package imports this one: on Node 20 a write was acknowledged and then never sent, because what
 * sends it does not exist there.
 */
export function requireNode(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMin, minorMin] = NODE_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  const message = `Tandem needs Node ${NODE_MIN.join('.')} or newer and this is Node ${version}: install a newer one.`;
  const error = new Error(message);
  // Where it was thrown is of no use to who starts it.
  error.stack = error.message;
  throw error;
}

requireNode(process.versions.node);
