import { defineConfig } from 'vitest/config';

// Tests are told apart by suffix: x.test.ts is pure, x.int.test.ts uses Azurite and the broker
// emulator on loopback, tests/e2e runs whole regions (pnpm e2e says on what), tests/deploy and infra check
// what is shipped to Azure. Every project extends the root: its deadlines say how long a busy machine may
// take, not how fast the work should be, so none of them is near what an idle machine needs. The files of a
// worker share what they import: to load it anew for each took two thirds of the processor's time. So a test
// puts back what it changes of the process, and replaces no module.
export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    // All cores, where by default one is left idle; half of them for each of the two suites that turbo runs at a time.
    maxWorkers: process.env['TURBO_HASH'] === undefined ? '100%' : '50%',
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{packages,apps,benchmarks}/**/*.test.ts'],
          exclude: ['**/*.int.test.ts', '**/node_modules/**', '**/dist/**'],
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'int',
          include: ['{packages,apps}/**/*.int.test.ts'],
          exclude: ['**/node_modules/**', '**/dist/**'],
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/{e2e,deploy}/**', '**/node_modules/**', '**/dist/**'],
          testTimeout: 900_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/dist/**'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'deploy',
          include: ['{infra,tests/deploy}/src/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/dist/**'],
          isolate: false,
        },
      },
    ],
  },
});
