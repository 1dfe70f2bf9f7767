/** The oldest Node on which the tests pass; `engines` in package.json says the same. */
const NODE_MIN = [22, 18] as const;

/** Throws one sentence on a Node that is too old: what is missing there would be missed in mid-air. */
function requireNode(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMin, minorMin] = NODE_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  const message = `The emulator needs Node ${NODE_MIN.join('.')} or newer and this is Node ${version}: install a newer one.`;
  const error = new Error(message);
  // Where it was thrown is of no use to who starts it.
  error.stack = error.message;
  throw error;
}

requireNode(process.versions.node);
