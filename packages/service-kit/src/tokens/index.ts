export {
  AUTH_VARIABLES,
  type AuthSettings,
  authIssuerVariable,
  authSettingsOf,
  findAuthProblems,
} from './auth-settings.ts';
export {
  type Caller,
  createTokenVerifier,
  type TokenFault,
  type TokenVerifier,
} from './token-verifier.ts';
