export { AUDIENCE, startIssuer, type TestIssuer } from './start-issuer.ts';
