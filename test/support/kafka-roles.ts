import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, type AclEntry, ResourcePatternTypes } from 'kafkajs';

const page = readFileSync(join(__dirname, '../../docs/security.md'), 'utf8');

const operationOf: Readonly<Record<string, AclOperationTypes>> = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  Create: AclOperationTypes.CREATE,
  Delete: AclOperationTypes.DELETE,
  AlterConfigs: AclOperationTypes.ALTER_CONFIGS,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
};

/** The ACLs that docs/security.md prints: each role's, for a Kafka user of the same name. */
export function documentedAcls(): AclEntry[] {
  const rows = page.matchAll(
    /^\| (\w+) +\| ([A-Z][\w, ]+?) +\| (topics?|transactional ids) (prefixed )?`([^`]+)` +\|$/gm,
  );
  return [...rows].flatMap(([, role, operations = '', what, prefixed, resourceName = '']) =>
    operations.split(', ').map((operation) => {
      const known = operationOf[operation];
      if (known === undefined) throw new Error(`docs/security.md: no operation of Kafka is called ${operation}`);
      return {
        principal: `User:${role}`,
        host: '*',
        operation: known,
        permissionType: AclPermissionTypes.ALLOW,
        resourceType: what?.startsWith('topic') ? AclResourceTypes.TOPIC : AclResourceTypes.TRANSACTIONAL_ID,
        resourceName,
        resourcePatternType: prefixed === undefined ? ResourcePatternTypes.LITERAL : ResourcePatternTypes.PREFIXED,
      };
    }),
  );
}
