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
// Who may do what
export {
  type Access,
  type AccessRequest,
  type AccountKeys,
  boxOfRange,
  checkGrant,
  DATE_WINDOW_MS,
  type Grant,
  hasSharedAccess,
  isInRange,
  type SignedRequest,
  type StoredPolicy,
  type TableOperation,
  type TableRange,
  verifySharedAccess,
  verifySharedKey,
} from './shared-access.ts';
export {
  errorDocument,
  errorJson,
  errorXml,
  TableError,
  type TableErrorCode,
} from './table-error.ts';
