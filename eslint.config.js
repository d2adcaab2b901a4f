import tseslint from 'typescript-eslint'

/** Forbids imports whose specifier matches; a folder's walls are listed where the folder is configured below. */
const walls = (...patterns) => ({
  'no-restricted-imports': ['error', { patterns: patterns.map(([regex, message]) => ({ regex, message })) }],
})

const NO_WORKER = ['/worker/', 'The supervisor and shared code never import the worker: they meet over IPC alone.']
const NO_SUPERVISOR = [
  '/supervisor/',
  'The worker and shared code never import the supervisor: they meet over IPC alone.',
]
const NO_TEST = ['/test/', 'What ships never imports tests.']
const NO_BAILEYS = ['@whiskeysockets/baileys', 'Baileys stays in worker/socket and worker/session.']
const NO_FIREBASE = [
  '^firebase-admin|^@google-cloud/',
  'Firestore stays in supervisor/backup/firestore, which is loaded only when it is configured.',
]
/** Pure code: other core files, and shared modules. No node builtins, no packages but the schema library. */
const ONLY_PURE = [
  '^(?!\\./|\\.\\./\\.\\./shared/|\\.\\./core/|typebox)',
  'core/ decides and does nothing else: it imports core and pure shared modules only.',
]

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.tap/', 'coverage/'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js', 'supervisor/cli/*.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // An async function without await is how an interface that returns a promise is met.
      '@typescript-eslint/require-await': 'off',
      'no-empty': 'error',
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true, named: true, defaultFrom: true } }],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'supervisor/config.ts is the only reader of the environment.' },
        { object: 'process', property: 'exit', message: 'Only an entry file (main.ts, a command) ends the process.' },
      ],
    },
  },
  { files: ['*.js'], ...tseslint.configs.disableTypeChecked },
  { files: ['*.js'], rules: { 'no-restricted-exports': 'off' } },
  // The package's command has to be there before anything is compiled.
  { files: ['supervisor/cli/*.js'], ...tseslint.configs.disableTypeChecked },
  { files: ['shared/**'], rules: walls(NO_WORKER, NO_SUPERVISOR, NO_TEST, NO_BAILEYS) },
  { files: ['supervisor/**'], rules: walls(NO_WORKER, NO_TEST, NO_BAILEYS, NO_FIREBASE) },
  { files: ['supervisor/backup/firestore/**'], rules: walls(NO_WORKER, NO_TEST, NO_BAILEYS) },
  { files: ['supervisor/core/**'], rules: walls(NO_WORKER, NO_TEST, NO_BAILEYS, ONLY_PURE) },
  {
    files: ['supervisor/http/**'],
    rules: walls(NO_WORKER, NO_TEST, NO_BAILEYS, NO_FIREBASE, [
      '/fleet/child',
      'HTTP never touches a child process: it asks the fleet.',
    ]),
  },
  {
    // The page runs in a browser: what it imports is served to it (supervisor/http/page.ts), the rest of ours are types.
    files: ['supervisor/dashboard/**'],
    rules: {
      // The types of Node come along with those of the API; a browser has none of it.
      'no-restricted-globals': ['error', 'process', 'Buffer', 'global', 'setImmediate', 'require'],
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!\\./|\\.\\./|preact|@preact/signals$|eventsource-parser$)',
              message: 'The page has what the import map of index.html names, and nothing else.',
              allowTypeImports: true,
            },
            {
              regex: '\\.\\./(http|fleet|accounts|backup|storage|qr)/|\\.\\./shared/(?!phone)',
              message: 'Of the service the page imports types only.',
              allowTypeImports: true,
            },
          ],
        },
      ],
    },
  },
  { files: ['worker/**'], rules: walls(NO_SUPERVISOR, NO_TEST, NO_BAILEYS) },
  { files: ['worker/socket/**', 'worker/session/**'], rules: walls(NO_SUPERVISOR, NO_TEST) },
  { files: ['worker/core/**'], rules: walls(NO_SUPERVISOR, NO_TEST, NO_BAILEYS, ONLY_PURE) },
  {
    files: ['test/simulator/**'],
    rules: walls([
      '\\.\\./(supervisor|worker|shared)/',
      'The simulator imports nothing of ours, so that it can disagree with us.',
    ]),
  },
  {
    files: [
      'supervisor/main.ts',
      'supervisor/config.ts',
      'worker/main.ts',
      'worker/bundle/loader.ts',
      '**/*-command.ts',
      'test/**',
    ],
    rules: { 'no-restricted-properties': 'off' },
  },
  // tap's assertions return promises that the runner awaits by itself.
  {
    files: ['test/**'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            // tap builds its `t` from plugins into this package.
            { from: 'package', name: 'test', package: '@tapjs/test' },
            { from: 'package', name: ['rejects', 'resolves', 'resolveMatch'], package: '@tapjs/asserts' },
          ],
        },
      ],
    },
  },
)
