export { OnKeyChange, type OnKeyChangeOptions } from './changes/on-key-change';
export type { PutAside } from './changes/put-aside';
export { LeveeConnectionError } from './connection';
export { type HealthOptions, InjectLeveeHealth, LeveeHealthIndicator, type LeveeHealthResult } from './health';
export { LeveeKeyvStore } from './keyv-store';
export { LeveeModule, type LeveeModuleExtras, type LeveeOptionsFactory } from './levee-module';
export type { LeveeStore } from './providers';
export { LeveeTestingModule, type LeveeTestingOptions } from './testing-module';
export { defaultConnection, InjectLevee, InjectNamespace, leveeToken, namespaceToken } from './tokens';
