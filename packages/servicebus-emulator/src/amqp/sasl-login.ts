import type { Connection, Container } from 'rhea';
import {
  findRule,
  type SharedAccessKey,
  type SharedAccessRule,
} from '../shared-access-signature.ts';

/** What rhea asks of a mechanism on the server's side. */
interface Mechanism {
  outcome: boolean | undefined;
  username: string | undefined;
  start(response: Buffer | undefined): void;
}

interface SaslInternals {
  readonly sasl_server_mechanisms: Record<string, () => Mechanism>;
}

interface ConnectionInternals {
  readonly sasl_transport?: { readonly selected?: { readonly mechanism?: Mechanism } };
}

/** Logs in with the name and key of an access rule (RFC 4616). */
class PlainMechanism implements Mechanism {
  outcome: boolean | undefined;
  username: string | undefined;
  login: SharedAccessKey | undefined;
  readonly #rules: readonly SharedAccessRule[] | undefined;

  constructor(rules: readonly SharedAccessRule[] | undefined) {
    this.#rules = rules;
  }

  start(response: Buffer | undefined): void {
    const [, name = '', key = ''] = (response ?? Buffer.alloc(0)).toString('utf8').split('\0');
    this.login = { name, key };
    this.username = name;
    this.outcome = this.#rules === undefined || findRule(this.#rules, this.login) !== undefined;
  }
}

/** Lets anybody in: what he may do is left to the claims node. */
function createOpenMechanism(): Mechanism {
  const mechanism: Mechanism = {
    outcome: undefined,
    username: undefined,
    start() {
      mechanism.outcome = true;
    },
  };
  return mechanism;
}

/** The mechanisms of the service. MSSBCBS is what its own libraries call "see $cbs". */
export function enableSasl(
  container: Container,
  rules: readonly SharedAccessRule[] | undefined,
): void {
  const mechanisms = (container as unknown as SaslInternals).sasl_server_mechanisms;
  mechanisms['MSSBCBS'] = createOpenMechanism;
  mechanisms['PLAIN'] = () => new PlainMechanism(rules);
  mechanisms['ANONYMOUS'] = createOpenMechanism;
  mechanisms['EXTERNAL'] = createOpenMechanism;
}

/** The name and key with which the client has logged in, if it has. */
export function loginOf(connection: Connection): SharedAccessKey | undefined {
  const { sasl_transport } = connection as unknown as ConnectionInternals;
  const mechanism = sasl_transport?.selected?.mechanism;
  return mechanism instanceof PlainMechanism ? mechanism.login : undefined;
}
