export {
  AUTH_VARIABLES,
  type AuthSettings,
  authSettingsOf,
  findAuthProblems,
} from './auth-settings.ts';
export { type Caller, createTokenVerifier, type TokenVerifier } from './token-verifier.ts';
