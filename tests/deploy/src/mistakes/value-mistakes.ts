/** Values that an operator might write, and what is said about them. */
export interface ValueMistake {
  readonly name: string;
  /** YAML on top of the files of a release that is right. */
  readonly values: string;
  readonly says: RegExp;
  /** For what a value on top cannot undo: the release with other files. */
  readonly withoutRegions?: boolean;
}

const EAST = `{name: east, host: e.example.com, storageAccountUrl: "https://tandemeast.table.core.windows.net", serviceBusNamespace: e.servicebus.windows.net, clientIds: {customerApi: 00000000-0000-4000-8000-000000000001, replicator: 00000000-0000-4000-8000-000000000002, scaler: 00000000-0000-4000-8000-000000000003}}`;
const WEST = `{name: west, host: w.example.com, storageAccountUrl: "https://tandemwest.table.core.windows.net", serviceBusNamespace: w.servicebus.windows.net}`;

const regions = (...entries: readonly string[]) => `global: {regions: [${entries.join(', ')}]}`;

export const VALUE_MISTAKES: readonly ValueMistake[] = [
  {
    name: 'no file of regions',
    values: '{}',
    withoutRegions: true,
    says: /global\.regions is empty: pass the file of all regions too/,
  },
  {
    name: 'no region',
    values: 'global: {region: ""}',
    says: /global\.region is not set: name the region of this release, one of east, west/,
  },
  {
    name: 'a region that is not listed',
    values: 'global: {region: eats}',
    says: /global\.region is eats, which global\.regions does not list: name one of east, west/,
  },
  {
    name: 'two regions with the same name',
    values: regions(EAST, EAST, WEST),
    says: /global\.regions lists east twice: give each region a name of its own/,
  },
  {
    name: 'no peer',
    values: regions(EAST),
    says: /lists only east, so there is no peer: add another region, or set/,
  },
  {
    name: 'peers where there are to be none',
    values: 'global: {dataAccess: single-region}',
    says: /dataAccess is single-region, but global\.regions lists 2: remove the others/,
  },
  {
    name: 'two regions with one queue',
    values: regions(EAST, WEST.replace('w.servicebus', 'e.servicebus')),
    says: /east and west have the same queue, e\.servicebus\.windows\.net\/customer, so a region would receive its own changes/,
  },
  {
    name: 'two regions with one storage account',
    values: regions(EAST, WEST.replace('tandemwest', 'tandemeast')),
    says: /east and west have the same storage account/,
  },
  {
    name: 'a region without a name',
    values: regions(EAST, WEST.replace('name: west, ', '')),
    says: /has an entry without name: name every region/,
  },
  {
    name: 'a region without storage',
    values: regions(EAST, WEST.replace(/storageAccountUrl: \S+, /, '')),
    says: /west has no storageAccountUrl: set it, for example https:/,
  },
  {
    name: 'a region without a namespace',
    values: regions(EAST, WEST.replace(/, serviceBusNamespace: [^,}]+/, '')),
    says: /west has no serviceBusNamespace: set it/,
  },
  {
    name: 'a region without a host',
    values: regions(EAST.replace('host: e.example.com, ', ''), WEST),
    says: /east has no host: set it, for example east\.customers\.example\.com/,
  },
  {
    name: 'an identity that is missing',
    values: regions(EAST.replace(/customerApi: [^,]+, /, ''), WEST),
    says: /east has no clientIds\.customerApi: set the client id/,
  },
  {
    name: 'nobody who may count messages',
    values: regions(EAST.replace(/, scaler: [^}]+/, ''), WEST),
    says: /east has no clientIds\.scaler: set the client id of the identity that counts/,
  },
  {
    name: 'nobody who issues tokens',
    values: 'global: {auth: {issuer: ""}}',
    says: /global\.auth\.issuer is not set, so anyone could read and write every customer: set it/,
  },
  {
    name: 'an issuer without https',
    values: 'global: {auth: {issuer: "http://issuer.example.com"}}',
    says: /auth\/issuer.*does not match pattern/s,
  },
  {
    name: 'a name that no stamp could hold',
    values: regions(EAST, WEST.replace('name: west', 'name: West-1')),
    says: /regions\/1\/name.*does not match pattern/s,
  },
  {
    name: 'a storage account without https',
    values: regions(EAST, WEST.replace('"https:', '"http:')),
    says: /storageAccountUrl.*does not match pattern/s,
  },
  {
    name: 'a connection string where a host belongs',
    values: regions(
      EAST,
      WEST.replace('w.servicebus.windows.net', '"Endpoint=sb://w/;SharedAccessKey=x"'),
    ),
    says: /serviceBusNamespace.*does not match pattern/s,
  },
  {
    name: 'a misspelt setting of the release',
    values: 'global: {regoin: east}',
    says: /additional properties 'regoin' not allowed/,
  },
  {
    name: 'a misspelt section',
    values: 'customerapi: {replicas: {min: 2}}',
    says: /additional properties 'customerapi' not allowed/,
  },
  {
    name: 'a misspelt setting of a service',
    values: 'customer-api: {replica: {min: 2}}',
    says: /additional properties 'replica' not allowed/,
  },
  {
    name: 'a misspelt setting of the table Configuration',
    values: 'global: {settings: {Readiness.LagMax: 5000}}',
    says: /additional properties 'Readiness\.LagMax' not allowed/,
  },
  {
    name: 'a duration as a text',
    values: 'global: {settings: {Readiness.LagMsMax: 15s}}',
    says: /LagMsMax.*got string, want integer/s,
  },
  {
    name: 'settings in a place that there is not',
    values: 'global: {settingsIn: vault}',
    says: /settingsIn.*value must be one of 'table', 'environment'/s,
  },
  {
    name: 'tombstones that are collected too early',
    values: 'global: {settings: {Tombstone.AgeMs: 3600000}}',
    says: /Tombstone\.AgeMs.*minimum/s,
  },
  {
    name: 'a lag bound that no watermark can meet',
    values: 'global: {settings: {Readiness.LagMsMax: 5000, Sweep.IntervalMs: 5000}}',
    says: /Readiness\.LagMsMax \(5000\) is less than two times Sweep\.IntervalMs \(5000\)/,
  },
  {
    name: 'a source of secrets that is not described',
    values: 'global: {credentials: {source: csi}}',
    says: /source is csi, but global\.credentials\.csi is empty: fill it in, or set the source/,
  },
  {
    name: 'a description of secrets that is not used',
    values: 'global: {credentials: {externalSecret: {secretName: tandem-connections}}}',
    says: /externalSecret is filled in, but global\.credentials\.source is identity/,
  },
  {
    name: 'a source of secrets that does not exist',
    values: 'global: {credentials: {source: vault}}',
    says: /value must be one of 'identity', 'csi', 'externalSecret'/,
  },
  {
    name: 'more replicas at least than at most',
    values: 'customer-api: {replicas: {min: 9, max: 3}}',
    says: /customer-api\.replicas\.min \(9\) is greater than max \(3\): swap them/,
  },
  {
    name: 'no replica',
    values: 'replicator: {replicas: {min: 0}}',
    says: /minimum: got 0, want 1/,
  },
  {
    name: 'a port that needs root',
    values: 'customer-api: {port: 80}',
    says: /port.*minimum: got 80, want 1,?024/s,
  },
  {
    name: 'a log level that does not exist',
    values: 'replicator: {logLevel: verbose}',
    says: /logLevel.*value must be one of/s,
  },
  {
    name: 'a gateway without a name',
    values: 'customer-api: {exposure: {gateway: {name: ""}}}',
    says: /exposure\.gateway\.name is not set: name the Gateway/,
  },
  {
    name: 'an ingress without a class',
    values: 'customer-api: {exposure: {kind: ingress}}',
    says: /exposure\.ingress\.className is not set/,
  },
  {
    name: 'an ingress without a certificate',
    values: 'customer-api: {exposure: {kind: ingress, ingress: {className: nginx}}}',
    says: /exposure\.ingress\.tlsSecretName is not set/,
  },
  {
    name: 'a Table endpoint without accounts',
    values: 'table-endpoint: {enabled: true, exposure: {gateway: {name: public}}}',
    says: /accounts\.secretName is not set: name the Secret whose key table-accounts/,
  },
  {
    name: 'a Table endpoint without a host',
    values:
      'global: {regions: [{name: east, host: e.example.com, storageAccountUrl: "https://aaa.table.core.windows.net", serviceBusNamespace: a.servicebus.windows.net, clientIds: {customerApi: 00000000-0000-4000-8000-0000000000e1, replicator: 00000000-0000-4000-8000-0000000000e2, tableEndpoint: 00000000-0000-4000-8000-0000000000e5}}, {name: west, host: w.example.com, storageAccountUrl: "https://bbb.table.core.windows.net", serviceBusNamespace: b.servicebus.windows.net}]}\n' +
      'table-endpoint: {enabled: true, accounts: {secretName: a}, exposure: {gateway: {name: public}}}',
    says: /east has no tableHost: name the host under which clients of Table Storage/,
  },
  {
    name: 'a Table endpoint without an identity',
    values:
      'global: {regions: [{name: east, host: e.example.com, tableHost: t.example.com, storageAccountUrl: "https://aaa.table.core.windows.net", serviceBusNamespace: a.servicebus.windows.net, clientIds: {customerApi: 00000000-0000-4000-8000-0000000000e1, replicator: 00000000-0000-4000-8000-0000000000e2}}, {name: west, host: w.example.com, storageAccountUrl: "https://bbb.table.core.windows.net", serviceBusNamespace: b.servicebus.windows.net}]}\n' +
      'table-endpoint: {enabled: true, accounts: {secretName: a}, exposure: {gateway: {name: public}}}',
    says: /east has no clientIds\.tableEndpoint: set the client id/,
  },
  {
    name: 'a console that could ask nobody who he is',
    values: 'operator: {enabled: true, console: {enabled: true, host: console.example.com}}',
    says: /operator\.console\.oidc\.clientId is not set[^]*operator\.console\.oidc\.issuer is not set/,
  },
  {
    name: 'a console without a host',
    values:
      'operator: {enabled: true, console: {enabled: true, oidc: {issuer: "https://login.example.com", clientId: x}}}',
    says: /operator\.console\.host is not set/,
  },
  {
    name: 'a console with a provider that anybody on the way could be',
    values: 'operator: {enabled: true, console: {oidc: {issuer: "http://login.example.com"}}}',
    says: /oidc\/issuer.*does not match pattern/s,
  },
  {
    name: 'a console at a path',
    values: 'operator: {enabled: true, console: {host: example.com/console}}',
    says: /console\/host.*does not match pattern/s,
  },
  {
    name: 'a console without a gateway',
    values:
      'operator: {enabled: true, console: {enabled: true, host: c.example.com, oidc: {issuer: "https://login.example.com", clientId: x}}}',
    says: /operator\.exposure\.kind is gateway, but exposure\.gateway\.name is not set/,
  },
  {
    name: 'an operator with the connection strings of one region',
    values:
      'global: {credentials: {source: externalSecret, externalSecret: {secretName: a}}}\noperator: {enabled: true}',
    says: /connection strings of a region open no other one/,
  },
  {
    name: 'an operator without an identity',
    values:
      'global: {regions: [{name: east, host: e.example.com, storageAccountUrl: "https://aaa.table.core.windows.net", serviceBusNamespace: a.servicebus.windows.net, clientIds: {customerApi: 00000000-0000-4000-8000-0000000000e1, replicator: 00000000-0000-4000-8000-0000000000e2, scaler: 00000000-0000-4000-8000-0000000000e3}}, {name: west, host: w.example.com, storageAccountUrl: "https://bbb.table.core.windows.net", serviceBusNamespace: b.servicebus.windows.net}]}\n' +
      'operator: {enabled: true}',
    says: /east has no clientIds\.operator: set the client id/,
  },
  {
    name: 'an operator as somebody else',
    values: 'operator: {enabled: true, console: {identity: root}}',
    says: /console\/identity/,
  },
  {
    name: 'two jobs of an operator with one name',
    values:
      'operator: {enabled: true, jobs: [{name: a, identity: view, command: [status], schedule: ""}, {name: a, identity: view, command: [verify], schedule: ""}]}',
    says: /operator\.jobs has a twice/,
  },
  {
    name: 'a job of an operator at no time of a day',
    values:
      'operator: {enabled: true, jobs: [{name: a, identity: view, command: [status], schedule: "every night"}]}',
    says: /jobs\/0\/schedule.*does not match pattern/s,
  },
  {
    name: 'a job of an operator with nothing to do',
    values:
      'operator: {enabled: true, jobs: [{name: a, identity: view, command: [], schedule: ""}]}',
    says: /jobs\/0\/command/,
  },
  {
    name: 'memory in no unit',
    values: 'replicator: {resources: {limits: {memory: 384MB}}}',
    says: /memory.*does not match pattern/s,
  },
  {
    name: 'a collector without a port',
    values: 'global: {otlp: {endpoint: "http://otel-collector.monitoring"}}',
    says: /otlp\/endpoint.*does not match pattern/s,
  },
  {
    name: 'a digest that is none',
    values: 'global: {image: {digests: {replicator: "sha256:abc"}}}',
    says: /digests\/replicator.*does not match pattern/s,
  },
  {
    name: 'a tag with a plus, which no registry takes',
    values: 'global: {image: {tag: "1.0+7"}}',
    says: /image\/tag.*does not match pattern/s,
  },
  {
    name: 'a registry with its scheme',
    values: 'global: {image: {registry: "https://tandem.azurecr.io"}}',
    says: /image\/registry.*does not match pattern/s,
  },
  {
    name: 'a registry that ends with a slash',
    values: 'global: {image: {registry: "tandem.azurecr.io/"}}',
    says: /image\/registry.*does not match pattern/s,
  },
  {
    name: 'a Secret for images that is named twice',
    values: 'global: {image: {pullSecrets: [a, a]}}',
    says: /pullSecrets.*are equal/s,
  },
  {
    name: 'a Secret for images with capitals',
    values: 'global: {image: {pullSecrets: [Registry]}}',
    says: /pullSecrets\/0.*does not match pattern/s,
  },
  {
    name: 'a provider class with an underscore',
    values: 'global: {credentials: {source: csi, csi: {secretProviderClass: tandem_connections}}}',
    says: /secretProviderClass.*does not match pattern/s,
  },
  {
    name: 'a Secret with capitals',
    values:
      'global: {credentials: {source: externalSecret, externalSecret: {secretName: Connections}}}',
    says: /secretName.*does not match pattern/s,
  },
  {
    name: 'a network that does not exist',
    values: 'global: {networkPolicy: {egressCidr: 300.0.0.0/8}}',
    says: /egressCidr.*does not match pattern/s,
  },
  {
    name: 'a network with more bits than an address has',
    values: 'global: {networkPolicy: {egressCidr: 10.0.0.0/33}}',
    says: /egressCidr.*does not match pattern/s,
  },
  {
    name: 'an address where a network belongs',
    values: 'global: {networkPolicy: {dnsCidrs: [169.254.20.10]}}',
    says: /dnsCidrs\/0.*does not match pattern/s,
  },
  {
    name: 'a monitor without a pause',
    values: 'global: {serviceMonitor: {interval: 0s}}',
    says: /interval.*does not match pattern/s,
  },
  {
    name: 'a label that is too long',
    values:
      'global: {serviceMonitor: {labels: {release: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}}',
    says: /labels\/release.*does not match pattern/s,
  },
  {
    name: 'a number as the value of a label',
    values: 'global: {serviceMonitor: {labels: {release: 7}}}',
    says: /labels\/release.*got number, want string/s,
  },
  {
    name: 'a collector behind a port that no address has',
    values: 'global: {otlp: {endpoint: "http://otel-collector.monitoring:70000"}}',
    says: /global\.otlp\.endpoint names port 70000: there is none above 65535/,
  },
  {
    name: 'the namespace of a collector with a dot',
    values: 'global: {otlp: {toNamespace: a.b}}',
    says: /toNamespace.*does not match pattern/s,
  },
  {
    name: 'a number as an annotation',
    values: 'customer-api: {podAnnotations: {example.com/shard: 7}}',
    says: /podAnnotations\/example\.com~1shard.*got number, want string/s,
  },
  {
    name: 'an annotation without a legal name',
    values: 'replicator: {podAnnotations: {"a b": c}}',
    says: /invalid propertyName 'a b'/,
  },
  {
    name: 'a boolean as an annotation of the account',
    values: 'replicator: {serviceAccountAnnotations: {example.com/on: true}}',
    says: /serviceAccountAnnotations.*got boolean, want string/s,
  },
  {
    name: 'a node that is picked by a boolean',
    values: 'customer-api: {nodeSelector: {fast: true}}',
    says: /nodeSelector\/fast.*got boolean, want string/s,
  },
  {
    name: 'a node whose label no node can have',
    values: 'customer-api: {nodeSelector: {pool: "a/b"}}',
    says: /nodeSelector\/pool.*does not match pattern/s,
  },
  {
    name: 'a toleration of all values that names one',
    values: 'replicator: {tolerations: [{key: a, operator: Exists, value: b}]}',
    says: /tolerations\/0\/value.*value must be ''/s,
  },
  {
    name: 'a toleration of no key',
    values: 'replicator: {tolerations: [{operator: Equal, value: b}]}',
    says: /tolerations\/0.*missing property 'key'/s,
  },
  {
    name: 'a request of memory above its limit',
    values: 'replicator: {resources: {requests: {memory: 2Gi}, limits: {memory: 1000Mi}}}',
    says: /replicator\.resources: the request of memory \(2Gi\) is greater than its limit \(1000Mi\)/,
  },
  {
    name: 'a request of a processor above its limit',
    values: 'customer-api: {resources: {requests: {cpu: 1.5}, limits: {cpu: 700m}}}',
    says: /cpu.*got number, want string/s,
  },
  {
    name: 'a request of a processor above its limit, as texts',
    values: 'customer-api: {resources: {requests: {cpu: "1.5"}, limits: {cpu: 700m}}}',
    says: /customer-api\.resources: the request of cpu \(1\.5\) is greater than its limit \(700m\)/,
  },
  {
    name: 'a Gateway with capitals',
    values: 'customer-api: {exposure: {gateway: {name: Public}}}',
    says: /gateway\/name.*does not match pattern/s,
  },
  {
    name: 'a class of ingress that is a path',
    values:
      'customer-api: {exposure: {kind: ingress, ingress: {className: a/b, tlsSecretName: c}}}',
    says: /className.*does not match pattern/s,
  },
  {
    name: 'the namespace of a Gateway as a name with dots',
    values: 'customer-api: {exposure: {fromNamespace: gateway.system}}',
    says: /fromNamespace.*does not match pattern/s,
  },
  {
    name: 'a number as a namespace',
    values: 'customer-api: {exposure: {fromNamespace: 1234}}',
    says: /fromNamespace.*got number, want string/s,
  },
  {
    name: 'a storage account in a zone that does not exist',
    values: regions(EAST, WEST.replace('tandemwest.table', 'tandemwest.z555.table')),
    says: /storageAccountUrl.*does not match pattern/s,
  },
  {
    name: 'a canary at no time',
    values: 'operator: {enabled: true, canarySchedule: "every 5 minutes"}',
    says: /canarySchedule.*does not match pattern/s,
  },
  // Of these the API server says that they are beyond what a field may be.
  ...['61 * * * *', '*/0 * * * *', '0 24 * * *', '0 0 32 * *', '0 0 1 13 *', '0 0 * * 7'].map(
    (schedule) => ({
      name: `a canary at ${schedule}`,
      values: `operator: {enabled: true, canarySchedule: "${schedule}"}`,
      says: /canarySchedule.*does not match pattern/s,
    }),
  ),
  {
    name: 'a job of an operator with the name of the canary',
    values:
      'operator: {enabled: true, canarySchedule: "*/5 * * * *", jobs: [{name: canary, identity: view, command: [status], schedule: ""}]}',
    says: /operator\.jobs has canary twice/,
  },
  {
    name: 'a job of an operator with a name that no object can have',
    values:
      'operator: {enabled: true, jobs: [{name: Verify_All, identity: view, command: [verify], schedule: ""}]}',
    says: /jobs\/0\/name.*does not match pattern/s,
  },
  {
    name: 'a job of an operator that nobody is',
    values: 'operator: {enabled: true, jobs: [{name: a, command: [verify], schedule: ""}]}',
    says: /jobs\/0.*missing property 'identity'/s,
  },
  {
    name: 'a job of an operator without an end',
    values: 'operator: {enabled: true, jobSecondsMax: 0}',
    says: /jobSecondsMax/,
  },
  {
    name: 'a console with a Secret in capitals',
    values: 'operator: {enabled: true, console: {oidc: {secretName: Tandem_Console}}}',
    says: /secretName.*does not match pattern/s,
  },
  {
    name: 'a console whose audit lies in a claim with a path',
    values: 'operator: {enabled: true, console: {stateClaim: a/b}}',
    says: /stateClaim.*does not match pattern/s,
  },
  {
    name: 'a role of the console that is none',
    values: 'operator: {enabled: true, console: {oidc: {roles: {view: ""}}}}',
    says: /roles\/view/,
  },
  {
    name: 'a role of the console that it does not know',
    values: 'operator: {enabled: true, console: {oidc: {roles: {admin: a}}}}',
    says: /roles.*additional properties 'admin' not allowed/s,
  },
  {
    name: 'a console at a port that needs root',
    values: 'operator: {enabled: true, port: 80}',
    says: /port/,
  },
  {
    name: 'a wire version in the environment, and nobody who asks whether every peer reads it',
    values:
      'global: {settingsIn: environment, settings: {Messages.WireVersion: 3}}\nconfigurationCheck: {enabled: false}',
    says: /Messages\.WireVersion is 3, and nobody would ask whether every peer reads it/,
  },
  {
    name: 'a check of the settings that is a text',
    values: 'configurationCheck: {enabled: "no"}',
    says: /configurationCheck\/enabled.*got string, want boolean/s,
  },
  {
    name: 'an image that is pulled now and then',
    values: 'global: {image: {pullPolicy: Sometimes}}',
    says: /pullPolicy/,
  },
  {
    name: 'a kind of token that there is not',
    values: 'global: {auth: {tokenType: saml}}',
    says: /tokenType/,
  },
  {
    name: 'keys of an issuer without https',
    values: 'global: {auth: {jwksUrl: "http://keys.example.com"}}',
    says: /jwksUrl.*does not match pattern/s,
  },
  {
    name: 'a queue with a blank',
    values: 'global: {queue: "a b"}',
    says: /queue.*does not match pattern/s,
  },
  {
    name: 'a public host with its scheme',
    values: 'global: {publicHost: "https://customers.example.com"}',
    says: /publicHost.*does not match pattern/s,
  },
  {
    name: 'an annotation of an exposure that is a number',
    values: 'customer-api: {exposure: {annotations: {example.com/weight: 7}}}',
    says: /annotations.*got number, want string/s,
  },
];
