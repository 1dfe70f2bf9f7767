export type { Clock } from './clock.ts';
export {
  createEmulator,
  type Emulator,
  type EmulatorControl,
  type EmulatorOptions,
  type QueueSeed,
} from './create-emulator.ts';
export type { QueueProperties } from './queue/queue-properties.ts';
export type { AccessRight, SharedAccessKey, SharedAccessRule } from './shared-access-signature.ts';
export { usePlainHttp, type PipelineClient } from './use-plain-http.ts';
