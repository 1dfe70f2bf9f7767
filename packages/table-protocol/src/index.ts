// Transactions.
export {
  type BatchAnswer,
  type BatchRequest,
  checkOperationCount,
  encodeBatch,
  parseBatch,
} from './batch.ts';
// Entities, and what they are held to.
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
  type StoredEntity,
  typedTextOf,
} from './edm-json.ts';
export { checkKey, checkProperties, isPropertyName } from './entity-limits.ts';
// Filters.
export { parseFilter } from './filter.ts';
// What headers ask, and places in a listing.
export {
  checkEncoding,
  checkUnconditional,
  decodeContinuation,
  encodeContinuation,
  type IfMatch,
  parseIfMatch,
  verbOf,
} from './headers.ts';
// Addresses.
export {
  accountNamedBy,
  checkTableName,
  nameOfAccount,
  parseTableUrl,
  type Resource,
  type TableUrl,
  type UrlStyle,
} from './request-url.ts';
// Documents of the service.
export {
  type CorsRule,
  encodeAcl,
  encodeServiceProperties,
  encodeServiceStats,
  findCorsRule,
  parseAcl,
  parseServiceProperties,
  type ServiceProperties,
  type SignedIdentifier,
} from './service-xml.ts';
// Who may do what.
export {
  type Access,
  type AccountKeys,
  checkGrant,
  type Grant,
  hasSharedAccess,
  type TableOperation,
  type TableRange,
  verifySharedAccess,
  verifySharedKey,
} from './shared-access.ts';
// Errors.
export {
  errorDocument,
  errorJson,
  errorXml,
  TableError,
  type TableErrorCode,
} from './table-error.ts';
