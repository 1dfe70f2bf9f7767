const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/;

/** Whether nobody but this machine can reach the host. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}
