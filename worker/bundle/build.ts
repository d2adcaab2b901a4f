import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build as bundle, type OutputFile, type Plugin } from 'esbuild'
import { BUNDLE_FILES } from '../../shared/worker-process.ts'
import { makeTypesLazy } from './lazy-proto.ts'

/**
 * Makes the worker that runs in production: one file of the compiled worker and all that it imports, less what a worker
 * does not need, and the loader that runs it.
 */

/** Optional packages of Baileys and ws, which are looked for where they are used; koffi is a native module. */
const LEFT_OUT = [
  ...['sharp', 'jimp', 'link-preview-js', 'audio-decode', 'music-metadata', 'koffi'],
  ...['bufferutil', 'utf-8-validate', 'pino-pretty'],
]

/** What is compiled beside this file, in place of packages. */
const STAND_INS: Readonly<Record<string, string>> = {
  'whatsapp-rust-bridge': 'rust-bridge.js',
  'lru-cache': 'lru-cache.js',
  'curve25519-js': 'curve25519.js',
}

const standIns: Plugin = {
  name: 'stand-ins',
  setup(build) {
    build.onResolve({ filter: /^(whatsapp-rust-bridge|lru-cache|curve25519-js)$/ }, ({ path, importer }) => {
      const file = fileURLToPath(new URL(STAND_INS[path] ?? '', import.meta.url))
      // The stand-in's own import is of what it stands in for.
      return importer === file ? undefined : { path: file }
    })
    // Baileys has a pino of its own, for a logger that it is never left to use.
    build.onResolve({ filter: /^pino$/ }, ({ path, importer }) => {
      return importer.includes('@whiskeysockets') ? { path: fileURLToPath(import.meta.resolve(path)) } : undefined
    })
    build.onLoad({ filter: /WAProto[\\/]index\.js$/ }, async ({ path }) => {
      return { contents: `${makeTypesLazy(await readFile(path, 'utf8')).code}\n${NO_SOURCE_MAP}`, loader: 'js' }
    })
  },
}

/** Needs no lines of its own in the source map: nobody's bug is in there, and it is half of the bundle. */
const NO_SOURCE_MAP =
  '//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjozLCJzb3VyY2VzIjpbIiJdLCJtYXBwaW5ncyI6IkEifQ=='

/** What CommonJS modules are wrapped in. Done here, so that the loader hands V8 the file as it is. */
const HEAD = '(function (exports, require, module, __filename, __dirname) {'
const FOOT = '\n})'

const WORKER_ENTRY = fileURLToPath(new URL('../main.js', import.meta.url))

/**
 * @param dir where the files go; inside the package, for what is left out is resolved from there
 * @param entry what is bundled: the worker
 * @returns esbuild's warnings, in words
 * @throws Error what esbuild could not do; nothing is replaced then
 */
export async function buildBundle(dir: string, entry = WORKER_ENTRY): Promise<string[]> {
  const worker = await bundle({
    entryPoints: [entry],
    outfile: join(dir, BUNDLE_FILES.worker),
    plugins: [standIns],
    external: LEFT_OUT,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    minify: true,
    // Under a code cache import() fails on Node 20 (ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING), and with it every upload.
    supported: { 'dynamic-import': false },
    banner: { js: HEAD },
    footer: { js: FOOT },
    // With one byte a character V8 keeps the text outside of its heap, as it is read.
    charset: 'ascii',
    sourcemap: 'external',
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'silent',
    write: false,
  })
  const loader = await bundle({
    entryPoints: [fileURLToPath(new URL('loader.js', import.meta.url))],
    outfile: join(dir, BUNDLE_FILES.loader),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'silent',
    write: false,
  })
  for (const file of [...worker.outputFiles, ...loader.outputFiles]) await replaceFile(file)
  return [...worker.warnings, ...loader.warnings].map(({ text, location }) =>
    location === null ? text : `${location.file}:${location.line}: ${text}`,
  )
}

/** Workers that start meanwhile find the old file or the new one. */
async function replaceFile({ path, contents }: OutputFile): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`
  await writeFile(temporary, contents)
  await rename(temporary, path)
}
