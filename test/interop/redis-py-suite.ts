/** redis-py's own tests: which are run, and which of them do not pass though their commands are supported, and why. */
export const redisPySuite = {
  version: '6.4.0',
  files: ['test_commands', 'test_connection', 'test_connection_pool', 'test_pipeline', 'test_encoding'],
  /** At least so many pass. */
  passed: 200,
} as const;

export const cannotPass: readonly (readonly [tests: readonly string[], why: string])[] = [
  [
    ['test_auth'],
    'sets a password with `CONFIG SET` and `ACL`; a user name is a namespace here, and any password will do',
  ],
  [['test_config_get', 'test_config_get_multi_params'], 'looks for settings of memory layouts that there are not'],
  [['test_slowlog_get', 'test_slowlog_get_limit', 'test_slowlog_length'], 'sets up `SLOWLOG`, by `CONFIG SET`'],
  [['test_dbsize'], '`DBSIZE` is what nodes last counted: right within 2 s, not at once'],
  [['test_object'], '`OBJECT FREQ` and `IDLETIME`: nothing counts reads of a key'],
  [['test_command_count', 'test_command_list', 'test_command'], 'expects at least 100 commands'],
  [['test_large_responses'], 'a value of 5 MB: `LVLIMIT`'],
  [['test_lolwut', 'test_role'], '`LOLWUT` and `ROLE` are unknown commands'],
  [
    ['test_shutdown', 'test_shutdown_with_params'],
    'replaces the client by a dummy, which the plugin for FLUSHDB then asks',
  ],
  [['test_client_list_client_id'], 'counts the connections of tests before it, too'],
  [['test_module', 'test_module_loadex', 'test_psync'], 'needs other servers, at ports of their own'],
  [
    ['test_client_setinfo', 'test_retry_connect_on_timeout_error', 'test_create_single_connection_client_from_url'],
    'connects to port 6379, whatever port it is given',
  ],
];
