const FIRST_NAMES = [
  'Ada',
  'Amara',
  'Björn',
  'Chen',
  'Dolores',
  'Emil',
  'Fatima',
  'Grace',
  'Hiroshi',
  'Inès',
  'Jakub',
  'Kofi',
  'Leila',
  'Mateo',
  'Niamh',
  'Olga',
  'Priya',
  'Rosa',
  'Søren',
  'Zoë',
];
const LAST_NAMES = [
  'Almeida',
  'Brown',
  'Csák',
  'Dubois',
  'Eriksen',
  'Fernández',
  'García',
  'Haddad',
  'Ivanova',
  'Jones',
  'Kowalski',
  'Lovelace',
  'Müller',
  'Nguyen',
  'O’Brien',
  'Park',
  'Rossi',
  'Sato',
  'Turing',
  'Åberg',
];
/** One in so many has no phone, so that a field without a value is always among them. */
const WITHOUT_PHONE = 7;
const SEED = 0x7a4d_e301;

/** Makes the same people every time, each with an id. */
export function makeCustomers(count: number): readonly DemoCustomer[] {
  const next = createSequence(SEED);
  const pick = (names: readonly string[]): string => names[next() % names.length] ?? '';
  return Array.from({ length: count }, (_, index) => {
    const firstName = pick(FIRST_NAMES);
    const lastName = pick(LAST_NAMES);
    return {
      customerId: makeGuid(next),
      fields: {
        email: `customer${index}@example.com`,
        firstName,
        lastName,
        phoneNumber: index % WITHOUT_PHONE === 0 ? null : makePhone(next()),
      },
    };
  });
}

/** Draws 32 bits a call by Mulberry32, the same for the same seed. */
function createSequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

function makeGuid(next: () => number): string {
  const hex = Array.from({ length: 4 }, () => next().toString(16).padStart(8, '0')).join('');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`];
  return [...parts, `a${hex.slice(17, 20)}`, hex.slice(20)].join('-');
}

function makePhone(random: number): string {
  return `+1 555 ${String(random % 10_000_000).padStart(7, '0')}`;
}

export const CUSTOMER_FIELDS = ['email', 'firstName', 'lastName', 'phoneNumber'] as const;

export type CustomerField = (typeof CUSTOMER_FIELDS)[number];

/** What is written and compared. Null is a field without a value. */
export type CustomerFields = Readonly<Record<CustomerField, string | null>>;

/** Is what a customer has, or the orders that one transaction writes, by their numbers in it. */
export type DemoFields = Readonly<Record<string, string | null>>;

/** One customer to write, or one transaction of orders. Without an id the API makes one. */
export interface DemoCustomer<F extends DemoFields = CustomerFields> {
  /** Is a GUID in lower case, or names the transaction. */
  readonly customerId: string | null;
  readonly fields: F;
}

const ORDERS_PER_TRANSACTION = 10;
const CUSTOMERS = 100;
const ITEMS = ['pump', 'valve', 'gasket', 'hose', 'filter', 'motor', 'sensor'];

/** Makes the same orders every time, in transactions of ten of one customer each, the last one of what is left. */
export function makeOrders(count: number): readonly DemoCustomer<DemoFields>[] {
  const starts = Array.from(
    { length: Math.ceil(count / ORDERS_PER_TRANSACTION) },
    (_, nth) => nth * ORDERS_PER_TRANSACTION,
  );
  return starts.map((start, nth) => {
    const numbers = Array.from(
      { length: Math.min(ORDERS_PER_TRANSACTION, count - start) },
      (_, at) => start + at,
    );
    const orders = numbers.map((number) => [
      String(number % ORDERS_PER_TRANSACTION),
      `${1 + (number % 9)} ${ITEMS[number % ITEMS.length]}`,
    ]);
    const customer = `customer${String(nth % CUSTOMERS).padStart(3, '0')}`;
    const customerId = `${customer}/${String(nth).padStart(6, '0')}`;
    return { customerId, fields: Object.fromEntries(orders) as DemoFields };
  });
}
