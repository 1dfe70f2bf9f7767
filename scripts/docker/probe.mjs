// The health check of the images, which have neither curl nor a shell that could run it:
// `node probe.mjs /health/live` asks this container's own server, on PORT, and exits 1 unless it is
// well; `node probe.mjs --port 10002` is content when the port is open.
import { connect } from 'node:net';

const TIMEOUT_MS = 4_000;

const [what, port] = process.argv.slice(2);
setTimeout(() => process.exit(1), TIMEOUT_MS).unref();

if (what === '--port') {
  const socket = connect(Number(port), '127.0.0.1', () => process.exit(0));
  socket.on('error', () => process.exit(1));
} else {
  const response = await fetch(`http://127.0.0.1:${process.env.PORT}${what}`);
  process.exit(response.ok ? 0 : 1);
}
