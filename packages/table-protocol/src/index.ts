// Errors

// Transactions
export {
  type Batch,
  type BatchAnswer,
  type BatchRequest,
  checkOperationCount,
  encodeBatch,
  parseBatch,
} from './batch.ts';
// Entities
export {
  decodeEntity,
  decodeTypedText,
  type EntityFormat,
  encodeEntities,
  encodeEntity,
  encodeEntityLine,
  entityAddress,
  type MetadataLevel,
  parseObject,
  type SentEntity,
  type StoredEntity,
  typedTextOf,
} from './edm-json.ts';
export { checkKey, checkProperties, KEY_LENGTH_MAX } from './entity-limits.ts';
// Versions of an entity
// Filters
export { parseFilter } from './filter.ts';
export {
  decodeContinuation,
  encodeContinuation,
  entityTagOf,
  type IfMatch,
  parseIfMatch,
} from './headers.ts';
// Addresses
export {
  checkTableName,
  parseTableUrl,
  type Resource,
  type TableUrl,
  type UrlStyle,
} from './request-url.ts';
// Documents of the service
export {
  CORS_RULES_MAX,
  type CorsRule,
  encodeAcl,
  encodeServiceProperties,
  encodeServiceStats,
  findCorsRule,
  type GeoReplication,
  type Preflight,
  parseAcl,
  parseServiceProperties,
  type ServiceProperties,
  SIGNED_IDENTIFIERS_MAX,
  type SignedIdentifier,
} from './service-xml.ts';
export {
  type Access,
  type AccessRequest,
  boxOfRange,
  checkGrant,
  type Grant,
  hasSharedAccess,
  isInRange,
  type StoredPolicy,
  type TableOperation,
  type TableRange,
  verifySharedAccess,
} from './shared-access.ts';
// Who may do what
export {
  type AccountKeys,
  DATE_WINDOW_MS,
  type SignedRequest,
  verifySharedKey,
} from './shared-key.ts';
export {
  errorDocument,
  errorJson,
  errorXml,
  TableError,
  type TableErrorCode,
} from './table-error.ts';
