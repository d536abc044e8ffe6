const common = {
  rootDir: __dirname,
  testEnvironment: 'node',
  moduleFileExtensions: ['ts', 'js', 'json'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.cache', '<rootDir>/examples'],
  moduleNameMapper: { '^@levee/([^/]+)$': '<rootDir>/libs/$1/src' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          target: 'es2023',
          keepClassNames: true,
        },
        module: { type: 'commonjs' },
      },
    ],
  },
};

/** `unit` needs nothing but Node; `system` runs one suite at a time, against the Kafka of KAFKA_BROKERS or whole processes. */
module.exports = {
  testTimeout: 60_000,
  testSequencer: '<rootDir>/test/support/long-first.cjs',
  projects: [
    {
      ...common,
      displayName: 'unit',
      testRegex: [
        '/(libs|apps)/[^/]+/(src|test)/.*\\.(spec|test)\\.ts$',
        '/test/[^/]+\\.test\\.ts$',
        '/test/history/.*\\.spec\\.ts$',
      ],
      testPathIgnorePatterns: ['\\.kafka\\.(spec|test)\\.ts$', '/node_modules/'],
    },
    {
      ...common,
      displayName: 'system',
      testRegex: ['\\.kafka\\.(spec|test)\\.ts$', '/test/(e2e|scenarios)/.*\\.test\\.ts$'],
    },
    { ...common, displayName: 'interop', testRegex: ['/test/interop/.*\\.test\\.ts$'] },
  ],
};
