// The process of the Table endpoint: environment, signals, sockets, exit code.

import process from 'node:process';
import { isStrayOfLinkLayer } from '@tandem/messaging';
import { runService, settingsInvalid } from '@tandem/service-kit';
import { startTelemetry } from '@tandem/telemetry';
import { readConfig } from './config.ts';
import { createService } from './create-service.ts';

await runService({
  service: 'table-endpoint',
  reading: readConfig(process.env),
  async create(config, tools) {
    const { region, environment } = config;
    const start = await startTelemetry({ service: 'table-endpoint', region, environment });
    if (start.kind === 'invalid') throw settingsInvalid(start.problems);
    return createService({ config, ...tools, telemetry: start.telemetry });
  },
  isStray: isStrayOfLinkLayer,
  source: process,
});
