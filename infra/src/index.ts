export { LOG_ALERTS, STATUS_EVENT } from './alerts/alert-rules.ts';
export { buildDeployment, type Deployment } from './build-deployment.ts';
export type { DeploymentSettings } from './settings/deployment-settings.ts';
export { readSettings, type SettingsReading } from './settings/read-settings.ts';
