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
];
/** ServiceBusConnection, storageConnectionString and their like. */
const CONNECTION = 'connection(?:String)?';
const KEYS = [...PERSONAL_OR_SECRET_KEYS, `\\w*${CONNECTION}`].join('|');

/** Before an equals sign inside any text: connection strings, shared access signatures. */
const SECRET_PARTS = 'SharedAccessKey|AccountKey|SharedAccessSignature|sig';
/** Before a space inside any text. */
const TOKENS = 'Bearer|SharedKey(?:Lite)?|SharedAccessSignature';

const STRING = '"(?:[^"\\\\]|\\\\.)*"';
const NUMBER = '-?\\d[\\d.eE+-]*';
const LIST = '\\[[^\\]]*\\]';

const FIELD = new RegExp(`"(${KEYS})":(?:${STRING}|${NUMBER}|${LIST})`, 'gi');

/** The same fields where a text quotes JSON, once escaped. */
const QUOTED_FIELD = new RegExp(`\\\\"(${KEYS})\\\\":\\s?\\\\"(?:[^"\\\\]|\\\\\\\\.)*\\\\"`, 'gi');
const SECRET_PART = new RegExp(`\\b(${SECRET_PARTS})=[^;&"\\\\\\s]+`, 'gi');
const TOKEN = new RegExp(`\\b(${TOKENS}) [^"\\\\\\s,]+`, 'gi');

/** What any of the above needs, and hardly a line has: one look in place of four. */
const SUSPECT = new RegExp(
  [...PERSONAL_OR_SECRET_KEYS, CONNECTION, `(?:${SECRET_PARTS})=`, `(?:${TOKENS}) `].join('|'),
  'i',
);

/** Takes and gives one line of JSON. */
export function redactLine(line: string): string {
  if (!SUSPECT.test(line)) return line;
  return line
    .replace(FIELD, `"$1":"${REDACTED}"`)
    .replace(QUOTED_FIELD, `\\"$1\\":\\"${REDACTED}\\"`)
    .replace(SECRET_PART, `$1=${REDACTED}`)
    .replace(TOKEN, `$1 ${REDACTED}`);
}
