#!/usr/bin/env node
// What a person starts by hand, with whatever Node there is. Plain JavaScript without an import: one that is
// too old does not even load what follows, and says so in words of its own.
const NODE_MIN = [22, 18];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) {
  await import('./main.ts');
} else {
  const needed = NODE_MIN.join('.');
  process.stderr.write(
    `tandem needs Node ${needed} or newer and this is Node ${process.versions.node}: install a newer one.\n`,
  );
  process.exitCode = 2;
}
