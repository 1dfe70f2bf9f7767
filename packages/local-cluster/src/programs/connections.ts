import { azuriteConnectionString } from '@tandem/storage/testing';
import { LOOPBACK } from '../ports/port-probe.ts';
import type { RegionPorts } from '../ports/port-plan.ts';

/** The emulator takes any key; it listens on loopback only. */
const BROKER_KEY = 'SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE';

export function tablesConnection(ports: RegionPorts): string {
  return azuriteConnectionString(ports.tables);
}

export function brokerConnection(ports: RegionPorts): string {
  return emulatorConnection(ports.broker);
}

export function brokerAdminConnection(ports: RegionPorts): string {
  return emulatorConnection(ports.brokerAdmin);
}

function emulatorConnection(port: number): string {
  return `Endpoint=sb://${LOOPBACK}:${port};${BROKER_KEY};UseDevelopmentEmulator=true`;
}

export function urlOf(port: number): string {
  return `http://${LOOPBACK}:${port}`;
}
