// Preloaded into programs that do not watch their parent themselves. When the cluster's process
// is gone, however it went, the channel to it closes: the program then stops as if it had been
// told to, and is ended when that does not help.
const STOP_MS_MAX = 10_000;

const stopSignal = process.env['TANDEM_STOP_SIGNAL'] ?? 'SIGTERM';

process.once('disconnect', () => {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), STOP_MS_MAX).unref();
  process.kill(process.pid, stopSignal);
});
// The channel alone is no reason to go on living once the program has stopped.
process.channel?.unref();
