// What tests start as a process: it does what its argument says.
const [behaviour = 'run'] = process.argv.slice(2);

const keepAlive = setInterval(() => undefined, 1_000);
const sayReady = (): void => void process.stdout.write('{"event":"ready"}\n');

switch (behaviour) {
  case 'fail':
    process.stderr.write('first trouble\nsecond trouble\n');
    process.exitCode = 3;
    clearInterval(keepAlive);
    break;
  case 'ignore-stop':
    process.on('SIGTERM', () => process.stdout.write('ignored\n'));
    sayReady();
    break;
  case 'print-environment':
    process.stdout.write(`${JSON.stringify(process.env)}\n`);
    sayReady();
    break;
  default:
    process.on('SIGTERM', () => {
      process.stdout.write('stopping in order\n');
      clearInterval(keepAlive);
    });
    sayReady();
}
