// What a person starts with `docker compose up`: read as Compose reads it, and by Compose itself where there is one. That the
// service of the example runs with these settings is shown by packed-packages.test.ts.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCompose } from './compose-file.ts';
import { ROOT } from './guarantees-page.ts';

const FILES = ['compose.yaml', 'examples/compose/compose.yaml'];
/** Mounted from here, or copied beside the example, as its first lines say. */
const TRUSTED = ['/run/azurite.crt', '/app/azurite.crt'];
const TARGETS = readFileSync(`${ROOT}/Dockerfile`, 'utf8').matchAll(/^FROM \S+ AS (\S+)$/gmu);
const IMAGES = [
  '${NODE_IMAGE:-node:24-bookworm-slim}',
  ...[...TARGETS].map(([, target = '']) => `tandem-${target}:\${TANDEM_TAG:-dev}`),
];
/** The plugin, or what Debian has. */
const COMPOSE = [['docker', 'compose'], ['docker-compose']].find(
  ([command = '', ...args]) => spawnSync(command, [...args, 'version']).status === 0,
);
if (COMPOSE === undefined) {
  process.stderr.write('There is no Docker Compose here: its files are not read by it.\n');
}

describe.each(FILES)('%s', (file) => {
  const path = join(ROOT, file);
  const { services, networks, volumes } = readCompose(path);

  test.each(Object.entries(services))(
    '%s has an image, networks, files and volumes that there are',
    (_, service) => {
      const { environment, image, networks: joined, volumes: mounted = [] } = service;
      expect(IMAGES).toContain(image);
      expect(Object.keys(networks)).toEqual(expect.arrayContaining([...joined]));
      const needed = Object.keys(service.depends_on ?? {});
      expect(Object.keys(services)).toEqual(expect.arrayContaining(needed));
      const isThere = (from: string): boolean =>
        from.startsWith('.') ? existsSync(join(dirname(path), from)) : Object.hasOwn(volumes, from);
      const sources = mounted.map((volume) => volume.split(':')[0] ?? '');
      expect(sources.filter((from) => !isThere(from))).toEqual([]);
      const trusted = environment?.['NODE_EXTRA_CA_CERTS'] ?? TRUSTED[0];
      expect(TRUSTED).toContain(trusted);
    },
  );

  test('is open on loopback alone, no port twice', () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    const published = ports.map((port) => /^127\.0\.0\.1:(\d+):\d+$/u.exec(port)?.[1]);
    expect(published).not.toContain(undefined);
    expect(new Set(published).size).toBe(ports.length);
  });

  test.runIf(COMPOSE !== undefined)('is taken by Docker Compose', () => {
    const [command = '', ...args] = COMPOSE ?? [];
    const asked = [...args, '-f', path, 'config', '--quiet'];
    const { status, stderr } = spawnSync(command, asked, { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
