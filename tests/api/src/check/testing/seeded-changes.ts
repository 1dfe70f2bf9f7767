// Changes of the released document, and whether a client written against it would notice.
/* oxlint-disable typescript/no-explicit-any -- they reach into every corner of a document */
export interface SeededChange {
  readonly what: string;
  readonly change: (document: any) => void;
  /** Of what is said about it. */
  readonly message: RegExp;
}

const PUT = (document: any): any => document.paths['/customers/{customerId}'].put;
const LIST = (document: any): any => document.paths['/customers'].get;
const LIMIT = (document: any): any =>
  LIST(document).parameters.find(({ name }: { name: string }) => name === 'limit');
const BODY = (document: any): any => PUT(document).requestBody.content['application/json'].schema;
const CUSTOMER = (document: any): any => document.components.schemas.Customer;
const NEW_QUERY = { in: 'query', name: 'fresh', schema: { type: 'string' } };

function rename(object: Record<string, unknown>, from: string, to: string): void {
  object[to] = object[from];
  delete object[from];
}

export const BREAKING: readonly SeededChange[] = [
  {
    what: 'an operation that is gone',
    change: (document) => delete document.paths['/customers/{customerId}'].delete,
    message: /operation-removed/,
  },
  {
    what: 'a path that is gone',
    change: (document) => delete document.paths['/customers/{customerId}/history'],
    message: /path-removed/,
  },
  {
    what: 'an operation under another id',
    change: (document) => (PUT(document).operationId = 'replaceCustomer'),
    message: /operation-id-changed/,
  },
  {
    what: 'a new parameter that is required',
    change: (document) => LIST(document).parameters.push({ ...NEW_QUERY, required: true }),
    message: /parameter-became-required/,
  },
  {
    what: 'a parameter that becomes required',
    change: (document) => (LIMIT(document).required = true),
    message: /parameter-became-required/,
  },
  {
    what: 'a parameter that is gone',
    change: (document) =>
      (LIST(document).parameters = LIST(document).parameters.filter(
        (one: unknown) => one !== LIMIT(document),
      )),
    message: /parameter-removed/,
  },
  {
    what: 'a parameter that takes less',
    change: (document) => (LIMIT(document).schema.maximum = 10),
    message: /schema-constraint-changed/,
  },
  {
    what: 'a field of a body that becomes required',
    change: (document) => BODY(document).required.push('firstName'),
    message: /required-properties-added/,
  },
  {
    what: 'a field of a body that is no longer taken',
    change: (document) => delete BODY(document).properties.phoneNumber,
    message: /property-removed/,
  },
  {
    what: 'a field of a body that no longer takes null',
    change: (document) => (BODY(document).properties.phoneNumber.type = 'string'),
    message: /schema-type-changed/,
  },
  {
    what: 'a field of a body that takes less text',
    change: (document) => (BODY(document).properties.phoneNumber.maxLength = 5),
    message: /schema-constraint-changed/,
  },
  {
    what: 'a field of a body with another pattern',
    change: (document) => (BODY(document).properties.email.pattern = '^a$'),
    message: /schema-constraint-changed/,
  },
  {
    what: 'a body of another content type',
    change: (document) =>
      rename(PUT(document).requestBody.content, 'application/json', 'application/cbor'),
    message: /media-type-removed/,
  },
  {
    what: 'a field of an answer that is gone',
    change: (document) => delete CUSTOMER(document).properties.lastName,
    message: /property-removed/,
  },
  {
    what: 'a field of an answer that may be missing',
    change: (document) =>
      (CUSTOMER(document).required = CUSTOMER(document).required.filter(
        (name: string) => name !== 'email',
      )),
    message: /required-properties-removed/,
  },
  {
    what: 'a field of an answer of another type',
    change: (document) => (CUSTOMER(document).properties.email.type = 'integer'),
    message: /schema-type-changed/,
  },
  {
    what: 'a new value where clients know them all',
    change: (document) =>
      PUT(document).responses['200'].headers['x-tandem-acknowledged'].schema.enum.push('nearly'),
    message: /enum-values-added/,
  },
  {
    what: 'a status of success that is gone',
    change: (document) => delete PUT(document).responses['201'],
    message: /response-removed/,
  },
  {
    what: 'a header of an answer that is gone',
    change: (document) => delete PUT(document).responses['200'].headers.etag,
    message: /response-header-removed/,
  },
  {
    what: 'an answer of another content type',
    change: (document) =>
      rename(PUT(document).responses['200'].content, 'application/json', 'application/xml'),
    message: /media-type-removed/,
  },
  {
    what: 'an operation that asks for another scope',
    change: (document) => (LIST(document).security = [{ bearer: ['customers.operate'] }]),
    message: /security-requirement-changed/,
  },
  {
    what: 'an operation that was open and asks for a token',
    change: (document) =>
      (document.paths['/health'].get.security = [{ bearer: ['customers.read'] }]),
    message: /security-requirement-changed/,
  },
];

export const COMPATIBLE: readonly Omit<SeededChange, 'message'>[] = [
  {
    what: 'a new operation',
    change: (document) => {
      const { get } = document.paths['/health'];
      document.paths['/health/again'] = { get: { ...get, operationId: 'getHealthAgain' } };
    },
  },
  {
    what: 'a new parameter that may be left out',
    change: (document) => LIST(document).parameters.push(NEW_QUERY),
  },
  {
    what: 'a new field of a body that may be left out',
    change: (document) => (BODY(document).properties.middleName = { type: 'string' }),
  },
  {
    what: 'a new field of an answer',
    change: (document) => (CUSTOMER(document).properties.createdAt = { type: 'string' }),
  },
  {
    what: 'a new type of problem',
    change: (document) =>
      document.components.schemas.Problem.properties.type.enum.push('/problems/teapot'),
  },
  {
    what: 'a new reason for not being ready',
    change: (document) =>
      document.components.schemas.Ready.properties.reasons.items.properties.kind.enum.push('tired'),
  },
  {
    what: 'a new status for an error',
    change: (document) =>
      (PUT(document).responses['418'] = structuredClone(PUT(document).responses['400'])),
  },
  {
    what: 'another description',
    change: (document) => (PUT(document).description = 'In other words.'),
  },
];
