/**
 * What the Table service answers instead of a result: its status, its code, its sentence. All that are known
 * stand in one table, so that a caller reads the same text that the service would give.
 */
const ERRORS = {
  AtomFormatNotSupported: [415, 'Atom format is not supported.'],
  AuthenticationFailed: [
    403,
    'Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.',
  ],
  AuthorizationFailure: [403, 'This request is not authorized to perform this operation.'],
  AuthorizationPermissionMismatch: [
    403,
    'This request is not authorized to perform this operation using this permission.',
  ],
  AuthorizationProtocolMismatch: [
    403,
    'This request is not authorized to perform this operation using this protocol.',
  ],
  AuthorizationResourceTypeMismatch: [
    403,
    'This request is not authorized to perform this operation using this resource type.',
  ],
  AuthorizationServiceMismatch: [
    403,
    'This request is not authorized to perform this operation using this service.',
  ],
  AuthorizationSourceIPMismatch: [
    403,
    'This request is not authorized to perform this operation using this source IP {0}.',
  ],
  CommandsInBatchActOnDifferentPartitions: [
    400,
    'All commands in a batch must operate on same entity group.',
  ],
  CorsPreflightFailure: [403, 'CORS not enabled or no matching rule found for this request.'],
  DuplicatePropertiesSpecified: [400, 'A property is specified more than one time.'],
  EntityAlreadyExists: [409, 'The specified entity already exists.'],
  EntityTooLarge: [400, 'The entity is larger than the maximum allowed size (1MB).'],
  HostInformationNotPresent: [
    400,
    'The required host information is not present in the request. You must send a non-empty Host header or include the absolute URI in the request line.',
  ],
  InsufficientAccountPermissions: [
    403,
    'The account being accessed does not have sufficient permissions to execute this operation.',
  ],
  InternalError: [500, 'Server encountered an internal error. Please try again after some time.'],
  InvalidAuthenticationInfo: [
    400,
    'Authentication information is not given in the correct format. Check the value of Authorization header.',
  ],
  InvalidDuplicateRow: [
    400,
    'The batch request contains multiple changes with same row key. An entity can appear only once in a batch request.',
  ],
  InvalidHeaderValue: [400, 'The value for one of the HTTP headers is not in the correct format.'],
  InvalidInput: [400, 'One of the request inputs is not valid.'],
  InvalidQueryParameterValue: [
    400,
    'Value for one of the query parameters specified in the request URI is invalid.',
  ],
  InvalidResourceName: [400, 'The specifed resource name contains invalid characters.'],
  InvalidUri: [400, 'The request URI is invalid.'],
  InvalidXmlDocument: [400, 'XML specified is not syntactically valid.'],
  JsonFormatNotSupported: [415, 'JSON format is not supported.'],
  KeyValueTooLarge: [400, 'The value of PartitionKey or RowKey is too large.'],
  MediaTypeNotSupported: [415, 'None of the provided media types are supported.'],
  MethodNotAllowed: [405, 'The requested method is not allowed on the specified resource.'],
  MissingRequiredHeader: [400, 'A required HTTP header was not specified.'],
  NoAuthenticationInformation: [
    401,
    'Server failed to authenticate the request. Please refer to the information in the www-authenticate header.',
  ],
  NotImplemented: [501, 'The requested operation is not implemented on the specified resource.'],
  OperationTimedOut: [500, 'Operation could not be completed within the specified time.'],
  OutOfRangeInput: [400, 'One of the request inputs is out of range.'],
  PropertiesNeedValue: [400, 'The values are not specified for all properties in the entity.'],
  PropertyNameInvalid: [400, 'The property name is invalid.'],
  PropertyNameTooLong: [400, 'The property name exceeds the maximum allowed length (255).'],
  PropertyValueTooLarge: [
    400,
    'The property value exceeds the maximum allowed size (64KB). If the property value is a string, it is UTF-16 encoded and the maximum number of characters should be 32K or less.',
  ],
  RequestBodyTooLarge: [
    413,
    'The request body is too large and exceeds the maximum permissible limit.',
  ],
  ResourceNotFound: [404, 'The specified resource does not exist.'],
  ServerBusy: [
    503,
    'The server is currently unable to receive requests. Please retry your request.',
  ],
  TableAlreadyExists: [409, 'The table specified already exists.'],
  TableNotFound: [404, 'The table specified does not exist.'],
  TooManyProperties: [
    400,
    'The entity contains more properties than allowed. Each entity can include up to 252 properties to store data. Each entity also has 3 system properties.',
  ],
  UnsupportedHeader: [400, 'One of the HTTP headers specified in the request is not supported.'],
  UnsupportedHttpVerb: [405, "The resource doesn't support specified Http Verb."],
  UpdateConditionNotSatisfied: [
    412,
    'The update condition specified in the request was not satisfied.',
  ],
  XMethodIncorrectCount: [400, 'More than one X-HTTP-Method is specified.'],
  XMethodIncorrectValue: [400, 'The specified X-HTTP-Method is invalid.'],
  XMethodNotUsingPost: [400, 'The request uses X-HTTP-Method with an HTTP verb other than POST.'],
} as const satisfies Readonly<Record<string, readonly [status: number, sentence: string]>>;

export type TableErrorCode = keyof typeof ERRORS;

/** Carries an answer of the service up to where the answer is written. */
export class TableError extends Error {
  override readonly name = 'TableError';
  readonly code: TableErrorCode;
  readonly status: number;
  /** Counts from 0 which operation of a transaction it is of; undefined for the whole request. */
  readonly operation: number | undefined;

  /** Takes what was wrong in particular as `detail`, which follows the service's own sentence. */
  constructor(code: TableErrorCode, detail?: string, operation?: number) {
    const [status, sentence] = ERRORS[code];
    super(detail === undefined ? sentence : `${sentence} ${detail}`);
    this.code = code;
    this.status = status;
    this.operation = operation;
  }

  /** Returns an error that says another sentence than its code usually does. */
  static saying(code: TableErrorCode, sentence: string, operation?: number): TableError {
    const error = new TableError(code, undefined, operation);
    error.message = sentence;
    return error;
  }

  /** Returns the same error as one of an operation within a transaction. */
  ofOperation(operation: number): TableError {
    return TableError.saying(this.code, this.message, operation);
  }
}

interface AnswerFacts {
  readonly requestId: string;
  /** UTC with seven digits of a second. */
  readonly time: string;
}

function sentenceOf({ message, operation }: TableError, { requestId, time }: AnswerFacts): string {
  const position = operation === undefined ? '' : `${operation}:`;
  return `${position}${message}\nRequestId:${requestId}\nTime:${time}`;
}

/** Returns the body of an error at the level of tables and entities. */
export function errorJson(error: TableError, facts: AnswerFacts): string {
  const value = sentenceOf(error, facts);
  return JSON.stringify({ 'odata.error': { code: error.code, message: { lang: 'en-US', value } } });
}

/** Returns the body of an error below that level, of a signature for one. */
export function errorXml(error: TableError, facts: AnswerFacts): string {
  const value = escapedSentenceOf(error, facts);
  return `${XML_DECLARATION}<error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><code>${error.code}</code><message xml:lang="en-US">${value}</message></error>`;
}

/** Returns the body of an error that all services of an account have alike, of a preflight for one. */
export function errorDocument(error: TableError, facts: AnswerFacts): string {
  return `${XML_DECLARATION}<Error><Code>${error.code}</Code><Message>${escapedSentenceOf(error, facts)}</Message></Error>`;
}

function escapedSentenceOf(error: TableError, facts: AnswerFacts): string {
  return sentenceOf(error, facts)
    .replace(NO_XML, '\uFFFD')
    .replace(/[<>&]/g, (found) => XML_ESCAPES[found] ?? found);
}

export const XML_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>';

/** Characters that XML 1.0 has no way to write: a sentence may quote them of a request. */
const NO_XML = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

const XML_ESCAPES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;' };
