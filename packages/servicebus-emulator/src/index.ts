import './require-node.ts';

export type { Clock } from './clock.ts';
export type { EmulatorControl } from './control/control-server.ts';
export {
  createEmulator,
  type Emulator,
  type EmulatorOptions,
  type NamespaceSeed,
  type PipelineClient,
  type QueueSeed,
  usePlainHttp,
} from './create-emulator.ts';
export type { FaultyOperation, NextFailure } from './faults.ts';
export type { TlsIdentity } from './port-server.ts';
export type { QueueProperties } from './queue/queue-properties.ts';
export type { AccessRight, SharedAccessKey, SharedAccessRule } from './shared-access-signature.ts';
