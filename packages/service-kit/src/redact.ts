/**
 * The one place that says what never reaches a log. It works on the finished line, so that depth,
 * arrays and errors quoted from a library make no difference.
 */
const REDACTED = '[redacted]';

/** Names of fields; letter case does not matter. */
const PERSONAL_OR_SECRET_KEYS = [
  'email',
  'firstName',
  'lastName',
  'phoneNumber',
  'authorization',
  'cookie',
  'password',
  'accountKey',
  'sharedAccessKey',
  'sharedAccessSignature',
  // ServiceBusConnection, storageConnectionString and their like.
  '\\w*connection(?:String)?',
];

const STRING = '"(?:[^"\\\\]|\\\\.)*"';
const NUMBER = '-?\\d[\\d.eE+-]*';
const LIST = '\\[[^\\]]*\\]';

const FIELD = new RegExp(
  `"(${PERSONAL_OR_SECRET_KEYS.join('|')})":(?:${STRING}|${NUMBER}|${LIST})`,
  'gi',
);

/** The same fields where a text quotes JSON, once escaped. */
const QUOTED_FIELD = new RegExp(
  `\\\\"(${PERSONAL_OR_SECRET_KEYS.join('|')})\\\\":\\s?\\\\"(?:[^"\\\\]|\\\\\\\\.)*\\\\"`,
  'gi',
);

/** Secrets inside any text: connection strings, shared access signatures, bearer tokens. */
const SECRET_PART = /\b(SharedAccessKey|AccountKey|SharedAccessSignature|sig)=[^;&"\\\s]+/gi;
const TOKEN = /\b(Bearer|SharedKey(?:Lite)?|SharedAccessSignature) [^"\\\s,]+/gi;

/** Takes and gives one line of JSON. */
export function redactLine(line: string): string {
  return line
    .replace(FIELD, `"$1":"${REDACTED}"`)
    .replace(QUOTED_FIELD, `\\"$1\\":\\"${REDACTED}\\"`)
    .replace(SECRET_PART, `$1=${REDACTED}`)
    .replace(TOKEN, `$1 ${REDACTED}`);
}
