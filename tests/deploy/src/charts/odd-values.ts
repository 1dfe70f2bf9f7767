// Values that are legal and look like something else: numbers, booleans, nothing, dates. Drawn from a seed, so that a
// release that fails can be rendered again.
import { createSeededRandomness } from '@tandem/core/memory';
import { stringify } from 'yaml';

/** What YAML reads as another type where a template forgets the quotes, and every place of a name takes. */
const NAMES = [
  '1234',
  '0',
  '007',
  '0x1f',
  '0b11',
  '0o17',
  '1e3',
  'no',
  'on',
  'off',
  'yes',
  'y',
  'n',
  'true',
  'false',
  'null',
  '2026-12-01',
  'inf',
  'tandem',
] as const;
const LABELS = [
  ...NAMES,
  '',
  '1.5',
  '1_000',
  '12.3.4',
  '5e',
  'No',
  'ON',
  'NULL',
  'a'.repeat(63),
] as const;
const TEXTS = [
  ...LABELS,
  '~',
  ' ',
  '- a',
  '{a: b}',
  '[1]',
  '# no',
  'a: b',
  '"',
  "'",
  '*x',
  '&x',
  '%',
  '@',
  '|',
  '>',
  '\\n',
  'ü',
];
const TAGS = [
  '1234',
  '1.0',
  '0x10',
  'no',
  '1e3',
  '2026-12-01',
  `v${'1'.repeat(63)}`,
  `_${'b'.repeat(127)}`,
  'a-.',
  '',
];
/** The name of a region is a word of letters and digits that begins with a letter. */
const REGIONS = ['no', 'on', 'off', 'y', 'yes', 'true', 'null', 'e1', 'inf', 'east'] as const;
const SUFFIXES = [
  'servicebus.windows.net',
  'servicebus.usgovcloudapi.net',
  'servicebus.chinacloudapi.cn',
  'servicebus.airgap.example',
];
const TABLES = [
  'table.core.windows.net',
  'z5.table.storage.azure.net',
  'table.core.usgovcloudapi.net',
  'table.core.chinacloudapi.cn',
];

export interface OddRelease {
  readonly seed: number;
  readonly name: string;
  readonly namespace: string;
  /** YAML of all values. */
  readonly values: string;
}

/** Returns the release of a seed. */
export function drawRelease(seed: number): OddRelease {
  const draw = createDraw(seed);
  const name = draw.one(NAMES);
  const namespace = draw.one(NAMES.filter((one) => !one.includes('.')));
  const first = draw.below(REGIONS.length);
  const own = REGIONS[first] ?? 'east';
  const peer = REGIONS[(first + 1) % REGIONS.length] ?? 'west';
  const source = draw.one(['identity', 'csi', 'externalSecret']);
  const uuid = (): string => `${draw.digits(8)}-0000-4000-8000-${draw.digits(12)}`;
  const region = (region: string, place: number) => ({
    name: region,
    host: draw.one([`${draw.digits(3)}.${draw.digits(2)}`, draw.digits(4), 'e1.example.com']),
    tableHost: draw.one(['1.5', '12e3', 'tables.example.com']),
    storageAccountUrl: `https://${draw.digits(5)}${place}.${draw.one(TABLES)}`,
    serviceBusNamespace: `${draw.digits(6)}${place}.${draw.one(SUFFIXES)}`,
    queue: draw.one(['1234', 'true', '1e3', 'no', '0x10', 'customer']),
    clientIds: {
      customerApi: uuid(),
      replicator: uuid(),
      scaler: uuid(),
      tableEndpoint: uuid(),
      operator: uuid(),
      viewer: uuid(),
    },
  });
  const exposure = () => ({
    kind: draw.one(['gateway', 'ingress', 'none']),
    fromNamespace: draw.one(NAMES),
    gateway: { name: draw.one(NAMES), sectionName: draw.one([...NAMES, '']) },
    ingress: { className: draw.one(NAMES), tlsSecretName: draw.one(NAMES) },
    annotations: draw.pairs(TEXTS),
  });
  const service = () => ({
    podAnnotations: draw.pairs(TEXTS),
    serviceAccountAnnotations: draw.pairs(TEXTS),
    nodeSelector: draw.pairs(LABELS),
    tolerations: draw.one([
      [],
      [{ key: draw.one(NAMES), operator: 'Equal', value: draw.one(LABELS), effect: 'NoSchedule' }],
    ]),
    resources: {
      requests: { cpu: draw.one(['1', '250m']), memory: '512Mi' },
      limits: { memory: draw.one(['1Gi', '2000000000']) },
    },
  });
  const values = {
    global: {
      region: own,
      regions: [region(own, 1), region(peer, 2)],
      publicHost: draw.one(['', '1.5', '1234']),
      publicTableHost: draw.one(['', '2.5', '007']),
      auth: {
        issuer: `https://${draw.digits(3)}`,
        audience: draw.one(TEXTS.filter((text) => text.trim() !== '')),
        tokenType: '',
        jwksUrl: '',
      },
      image: {
        registry: draw.one(['1234', '1.5:5000/2', 'tandem.azurecr.io']),
        tag: draw.one(TAGS),
        pullSecrets: draw.one([[], ['1234', 'no']]),
      },
      credentials: {
        source,
        ...(source === 'csi' && { csi: { secretProviderClass: draw.one(NAMES) } }),
        ...(source === 'externalSecret' && { externalSecret: { secretName: draw.one(NAMES) } }),
      },
      settings: draw.one([
        {},
        {
          'Regions.Former': 'no,on',
          'Readiness.LagMsMax': 86_400_000,
          'Archive.KeepMs': 315_360_000_000,
        },
      ]),
      networkPolicy: { egressCidr: '10.0.0.0/8', dnsCidrs: draw.one([[], ['169.254.20.10/32']]) },
      serviceMonitor: {
        enabled: draw.one([true, false]),
        fromNamespace: draw.one(NAMES),
        labels: draw.pairs(LABELS),
        interval: '30s',
      },
      otlp: {
        endpoint: draw.one(['', 'http://1234:4318']),
        toNamespace: draw.one(NAMES),
        sampledShare: draw.one([0, 1, 0.000_001]),
      },
    },
    'customer-api': {
      ...service(),
      exposure: exposure(),
      shutdownDeadlineMs: draw.one([0, 600_000]),
    },
    replicator: {
      ...service(),
      autoscaling: { enabled: draw.one([true, false]), messagesPerReplica: draw.one([1, 1_000]) },
    },
    'table-endpoint': {
      enabled: draw.one([true, false]),
      ...service(),
      exposure: exposure(),
      accounts: { secretName: draw.one(NAMES), secretProviderClass: draw.one([...NAMES, '']) },
      trustedProxies: draw.one(['', '10.0.0.0/8']),
    },
    operator: {
      // Connection strings of a region open no other one.
      enabled: source === 'identity' && draw.one([true, false]),
      ...service(),
      exposure: exposure(),
      console: {
        enabled: draw.one([true, false]),
        identity: draw.one(['operate', 'view']),
        host: draw.one(['1.5', '1234', 'console.example.com']),
        oidc: {
          issuer: `https://${draw.digits(3)}`,
          clientId: draw.one(['1234', 'no', '1e3']),
          secretName: draw.one([...NAMES, '']),
          rolesClaim: draw.one(NAMES),
          roles: { view: draw.one(NAMES), operate: draw.one(NAMES), erase: draw.one(NAMES) },
        },
        stateClaim: draw.one([...NAMES, '']),
      },
      canarySchedule: draw.one(['', '*/5 * * * *']),
      jobs: draw.one([
        [],
        [
          {
            name: draw.one(NAMES.filter((one) => !one.includes('.'))),
            identity: draw.one(['operate', 'view']),
            command: [draw.one(TEXTS), draw.one(NAMES)],
            schedule: draw.one(['', '0 3 * * *']),
          },
        ],
      ]),
    },
  };
  // As somebody writes it who does it right: every text that looks like something else in quotes.
  return {
    seed,
    name,
    namespace,
    values: stringify(values, { version: '1.1', defaultStringType: 'QUOTE_DOUBLE' }),
  };
}

interface Draw {
  below(count: number): number;
  one<Value>(values: readonly Value[]): Value;
  digits(count: number): string;
  pairs(values: readonly string[]): Readonly<Record<string, string>>;
}

function createDraw(seed: number): Draw {
  const random = createSeededRandomness(seed);
  const below = (count: number): number => Math.floor(random.fraction() * count);
  const one = <Value>(values: readonly Value[]): Value => values[below(values.length)] as Value;
  const digits = (count: number): string => Array.from({ length: count }, () => below(10)).join('');
  const pairs = (values: readonly string[]): Readonly<Record<string, string>> =>
    one([
      {},
      { [`example.com/${one(NAMES)}`]: one(values), [one(['no', '1234', 'a.b/1'])]: one(values) },
    ]);
  return { below, one, digits, pairs };
}
